import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Gt, Le

from ansatz.core import catalog
from ansatz.core.options import SECTIONS, choose
from ansatz.helptext import OWN, describe, kind_of, meaning, plan, shown


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (int, "int"),
        (bool, "true|false"),
        (Annotated[float, Gt(0), Le(150)], "float > 0, <= 150"),
        (Annotated[float, Gt(0)] | None, "float > 0 or none"),
        (Literal["a", "b"], "a|b"),
        (Path | bytes | None, "path or none"),
        (tuple[Annotated[int, Ge(1)], ...], "list of int >= 1"),
        (Annotated[tuple[str, ...], "anything"], "list of text"),
    ],
)
def test_a_type_is_told_in_a_few_characters(hint, text):
    assert kind_of(hint) == text


@dataclass(frozen=True)
class Pipe:
    """A pipe.

    Attributes:
        length: From end to end, m. Not
            negative.
        inner, outer: Diameters of a wall that is
            thin, m; the outer one is larger.
    """

    length: float
    inner: float
    outer: float


def test_meanings_are_first_sentences_of_the_documentation():
    assert meaning(Pipe, "length") == "From end to end, m."
    assert meaning(Pipe, "outer").startswith("Diameters of a wall that is thin, m; the outer")
    assert meaning(Pipe, "weight") == ""


@pytest.mark.parametrize("verb", sorted(SECTIONS))
def test_every_option_that_is_shown_can_be_set_to_what_is_shown(verb):
    recipe = catalog.find("aero/cars")
    options = re.findall(r"^  ([\w.]+)=(\S*)", describe(verb, "aero/cars"), re.MULTILINE)
    assert options
    asked = choose(verb, recipe, OWN[verb], dict(options))
    assert asked.recipe == recipe
    assert asked.own == OWN[verb]


@pytest.mark.parametrize("verb", sorted(SECTIONS))
def test_every_option_is_documented(verb):
    lines = [line for line in describe(verb, "aero/cars").splitlines() if line[:2] == "  "]
    assert not [line for line in lines if not re.match(r"  [\w.]+=\S* +\S.* \S.*\.$", line)]


def test_help_shows_ranges_and_the_input():
    page = describe("predict", "aero/cars")
    assert re.search(r"speed=38\.89 +float > 0, <= 150 +Of the free stream, m/s", page)
    assert "input: a file, or a folder of files" in page


def test_an_option_of_the_verb_hides_the_one_of_the_recipe():
    page = describe("bench", "aero/cars")
    assert "predict.precision" not in page
    assert "  precision=fp32,bf16" in page


def test_a_plan_holds_every_option_after_the_overrides(tmp_path):
    content = plan("train", "aero/cars", {"steps": "7", "store": str(tmp_path)}, [], None)
    assert content["train.steps"] == 7
    assert content["store"] == str(tmp_path)
    assert content["data.draws.surface"] == catalog.find("aero/cars").data.draws.surface


def test_values_are_shown_as_one_would_type_them():
    assert shown((1, 2.5)) == "1,2.5"
    assert shown(None) == "none"
    assert shown(Path("a/b")) == "a/b"
