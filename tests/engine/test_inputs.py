from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ansatz.core import catalog
from ansatz.core.recipe import Recipe
from ansatz.engine.inputs import name_of, repair, requests


@dataclass(frozen=True)
class Prompt:
    text: str
    steps: int
    seed: int = 0


@dataclass(frozen=True)
class FileOrText:
    sequences: Path | str


@pytest.fixture(scope="module")
def cars():
    return catalog.find("aero/cars")


@pytest.fixture
def painter(cars):
    return replace(cars, request=Prompt, suffixes=(), repair=None)


@pytest.fixture
def folder(tmp_path):
    for name in ("b.stl", "a.STL", "c.stl.gz", "._b.stl", "notes.txt"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_stands_for_the_files_in_it_that_the_recipe_takes(cars, folder):
    found = requests(cars, [folder], {"speed": 30.0})
    assert list(found) == ["a", "b", "c"]
    assert found["c"].geometry == folder / "c.stl.gz"
    assert {request.speed for request in found.values()} == {30.0}


def test_names_keep_their_inner_dots(cars):
    assert name_of(cars, Path("runs/model.v2.stl")) == "model.v2"
    assert name_of(cars, "car.stl.gz") == "car"
    assert name_of(cars, "car.obj") == "car"


def test_two_inputs_of_one_name_are_refused(cars, folder):
    (folder / "b.stl.gz").touch()
    with pytest.raises(ValueError, match="several inputs are named b"):
        requests(cars, [folder], {})


def test_a_file_that_does_not_exist_is_named(cars):
    with pytest.raises(FileNotFoundError, match=r"no_such\.stl is not a file"):
        requests(cars, ["no_such.stl"], {})


def test_a_folder_without_fitting_files_says_what_would_fit(cars, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no \.stl or \.stl\.gz files"):
        requests(cars, [tmp_path], {})


def test_a_text_is_a_text_even_if_a_folder_has_its_name(painter, tmp_path, monkeypatch):
    (tmp_path / "cat").mkdir()
    monkeypatch.chdir(tmp_path)
    assert requests(painter, ["cat"], {"steps": 4}) == {"cat": Prompt("cat", 4)}


def test_long_texts_get_short_names_that_are_safe_and_their_own(painter):
    texts = ["a cat / a dog", "a cat . a dog", "../../etc", "x" * 300, "x" * 301, "猫"]
    names = list(requests(painter, texts, {"steps": 4}))
    assert len(set(names)) == len(texts)
    assert all("/" not in name and len(name) < 80 and name[0] != "." for name in names)
    assert names[0].startswith("a-cat-a-dog-")


def test_a_text_that_is_too_long_for_a_name_is_no_file(cars):
    recipe = replace(cars, request=FileOrText, suffixes=(".fasta",), repair=None)
    text = "MKT" * 2000
    assert list(requests(recipe, [text], {}).values()) == [FileOrText(text)]


def test_a_request_that_is_cut_is_as_many_as_its_parts(painter):
    def halves(asked):
        yield "-0", replace(asked, seed=1)
        yield "-1", replace(asked, seed=2)

    found = requests(replace(painter, parts=halves), ["cat"], {"steps": 4})
    assert found == {"cat-0": Prompt("cat", 4, 1), "cat-1": Prompt("cat", 4, 2)}


def test_a_question_that_is_not_complete_says_what_it_needs(painter):
    with pytest.raises(ValueError, match="needs steps="):
        requests(painter, ["cat"], {"seed": 1})


def test_an_input_is_read_as_its_type(installed):
    sines: Recipe = catalog.find("trigonometry/sine")
    assert requests(sines, ["-0.5"], {})["-0.5"].angle == -0.5
    with pytest.raises(ValueError, match="half: must be a valid number"):
        requests(sines, ["half"], {})


def test_a_recipe_that_repairs_nothing_says_so(painter, tmp_path):
    with pytest.raises(ValueError, match="takes files as they are"):
        list(repair(painter, ["a.txt"], tmp_path))
