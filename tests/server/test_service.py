"""A service is a recipe with a checkpoint, in the dialects that the recipe names."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from scaling import SHOUT, Row, Scaler, scaling_service

from ansatz.core.artifacts import Parent
from ansatz.core.recipe import Recipe, TrainConfig
from ansatz.server.service import License, recipe_service

CHECKPOINT = Parent(Path("runs/two"), "00ff")


def recipe(self_test=None, **dialects):
    return Recipe(
        name="test/scaling",
        title="Scales a row",
        data=None,
        model=None,
        objective=None,
        train=TrainConfig(),
        request=Row,
        predictor=lambda folder: Scaler(),
        self_test=self_test,
        dialects=dialects,
    )


def test_a_recipe_brings_its_request_its_dialects_and_its_self_test():
    tested = []
    named = recipe(lambda *about: tested.append(about), shout="scaling:SHOUT")
    service = recipe_service(named, Scaler(2.0), CHECKPOINT, "7")

    assert service.predictor == Scaler(2.0)
    assert (service.name, service.version, service.request) == ("test/scaling", "7", Row)
    assert service.dialects == (SHOUT,)
    assert service.assets == ("two sha256:00ff",)
    assert json.loads(service.config)["train"]["steps"] == TrainConfig().steps
    service.self_test()
    assert tested == [(Scaler(2.0), CHECKPOINT.path)]
    assert recipe_service(recipe(), Scaler(), CHECKPOINT, "7").self_test is None


def test_a_checkpoint_brings_its_card_and_its_license(tmp_path):
    (tmp_path / "README.md").write_text("# Card")
    (tmp_path / "LICENSE").write_text("CC-BY-4.0\n\nYou are free to share.")
    service = recipe_service(recipe(), Scaler(), Parent(tmp_path, "00ff"), "7")
    assert service.card == "# Card"
    assert service.license == License("CC-BY-4.0", "CC-BY-4.0\n\nYou are free to share.")
    assert recipe_service(recipe(), Scaler(), CHECKPOINT, "7").license == License()


def test_what_is_no_dialect_is_not_taken_for_one():
    with pytest.raises(TypeError, match="scaling:Row is a type and not a Dialect"):
        recipe_service(recipe(shout="scaling:Row"), Scaler(), CHECKPOINT, "7")


def test_two_dialects_cannot_share_a_route():
    with pytest.raises(ValueError, match="share a route"):
        scaling_service(dialects=(SHOUT, replace(SHOUT, name="cry")))


def test_a_request_must_be_a_dataclass():
    with pytest.raises(ValueError, match="must be a dataclass"):
        replace(scaling_service(), request=dict)
