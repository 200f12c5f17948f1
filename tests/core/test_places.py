from dataclasses import replace
from pathlib import Path

import pytest

from ansatz.core import catalog, places


@pytest.fixture
def cars(tmp_path, monkeypatch):
    monkeypatch.setenv("ANSATZ_HOME", str(tmp_path))
    return catalog.find("aero/cars")


def test_the_home_moves_with_its_variable(cars, tmp_path, monkeypatch):
    assert places.raw_folder(cars) == tmp_path / "aero/cars/raw"
    assert places.store_folder(cars).parent == tmp_path / "aero/cars"
    monkeypatch.setenv("ANSATZ_HOME", "~/data")
    assert places.home() == Path("~/data").expanduser()


def test_runs_lie_where_one_works(cars):
    assert places.run_folder(cars, "train") == Path("runs/aero/cars/train")


@pytest.mark.parametrize("shipped", ["", "ansatz.core/no_such_folder"])
def test_a_recipe_without_a_checkpoint_says_how_to_train_one(cars, shipped):
    with pytest.raises(FileNotFoundError, match="ansatz train aero/cars"):
        places.shipped_folder(replace(cars, shipped=shipped))
