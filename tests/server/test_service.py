"""A service is a recipe with a checkpoint, in the dialects that the recipe names."""

from dataclasses import replace
from pathlib import Path

import pytest
from scaling import SHOUT, Row, Scaler, scaling_service

from ansatz.core.recipe import Recipe, TrainConfig
from ansatz.server.service import recipe_service


def recipe(**dialects):
    return Recipe(
        name="test/scaling",
        title="Scales a row",
        data=None,
        model=None,
        objective=None,
        train=TrainConfig(),
        request=Row,
        predictor=lambda folder: Scaler(seconds=float(folder.name)),
        dialects=dialects,
    )


def test_a_recipe_brings_its_predictor_its_request_and_its_dialects():
    service = recipe_service(recipe(shout="scaling:SHOUT"), Path("x/2"), "7", card="# Card")

    assert service.predictor == Scaler(seconds=2.0)
    assert (service.name, service.version, service.request) == ("test/scaling", "7", Row)
    assert service.dialects == (SHOUT,)
    assert service.card == "# Card"


def test_what_is_no_dialect_is_not_taken_for_one():
    with pytest.raises(TypeError, match="scaling:Row is a type and not a Dialect"):
        recipe_service(recipe(shout="scaling:Row"), Path("1"), "7")


def test_two_dialects_cannot_share_a_route():
    with pytest.raises(ValueError, match="share a route"):
        scaling_service(dialects=(SHOUT, replace(SHOUT, name="cry")))


def test_a_request_must_be_a_dataclass():
    with pytest.raises(ValueError, match="must be a dataclass"):
        replace(scaling_service(), request=dict)
