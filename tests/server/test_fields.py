"""The fields of a request type are the fields of its form."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from annotated_types import Ge
from jaxtyping import Float
from numpy.typing import NDArray

from ansatz.server.dialect import Form
from ansatz.server.fields import form_fields, form_schema, read_request


@dataclass(frozen=True)
class Inner:
    number: int = 0


@dataclass(frozen=True)
class Order:
    drawing: Path | bytes
    speed: Annotated[float, Ge(0)] = 1.0
    height: float | None = None
    units: Literal["m", "mm"] = "m"
    count: int = 0
    hurry: bool = False
    names: tuple[str, ...] = ()
    note: str = ""
    points: Path | NDArray[np.float64] | None = None
    weights: Float[np.ndarray, " n"] | None = None
    folder: Path | None = None
    folders: tuple[Path, ...] = ()
    aliases: dict[str, Path] | list[Path | None] | None = None
    inner: Inner | None = None

    def __post_init__(self):
        if self.count > 3:
            raise ValueError("at most three can be ordered")


FIELDS = form_fields(Order)


def read(files=None, **texts):
    return read_request(Form(texts, files or {"drawing": b"x"}), Order, FIELDS)


def test_texts_are_parsed_by_the_type_of_their_field():
    order = read(
        speed="2.5", height="3", units="mm", count="2", hurry="true", names='["a", "b"]', note="[x]"
    )

    assert order == Order(b"x", 2.5, 3.0, "mm", 2, True, ("a", "b"), "[x]")


def test_files_and_arrays_also_travel_as_text():
    order = read_request(
        Form({"drawing": base64.b64encode(b"\0abc").decode(), "points": "[[1, 2, 3]]"}),
        Order,
        FIELDS,
    )

    assert order.drawing == b"\0abc"
    np.testing.assert_array_equal(order.points, [[1.0, 2.0, 3.0]])


def test_neither_a_path_of_the_server_nor_an_object_is_a_field_of_the_form():
    assert [(field.name, field.kind) for field in FIELDS] == [
        ("drawing", "file"),
        ("speed", "text"),
        ("height", "text"),
        ("units", "text"),
        ("count", "text"),
        ("hurry", "text"),
        ("names", "text"),
        ("note", "text"),
        ("points", "array"),
        ("weights", "array"),
    ]
    assert form_schema(FIELDS)["required"] == ["drawing"]


def test_all_mistakes_are_named_at_once():
    with pytest.raises(ValueError) as caught:
        read({"point": b"1"}, speed="-1", units="cm", count="1.5", folder="/etc", height="nan")

    message = str(caught.value)
    for words in (
        "did you mean 'points'",
        "unknown field 'folder'",
        "drawing is missing",
        "speed: input should be greater than or equal to 0",
        "units: input should be 'm' or 'mm'",
        "count: input should be a valid integer",
        "height: input should be a finite number",
    ):
        assert words in message


def test_what_the_request_itself_objects_to_is_passed_on():
    with pytest.raises(ValueError, match="at most three"):
        read(count="4")


@pytest.mark.parametrize(
    ("files", "texts", "words"),
    [
        ({"drawing": b""}, {}, "is empty"),
        ({"drawing": b"x", "speed": b"1"}, {}, "speed: is a text field"),
        ({"drawing": b"x", "points": b"nonsense"}, {}, "points: "),
        ({"drawing": b"x"}, {"points": "[[1], [2, 3]]"}, "nested lists"),
        ({"note": b""}, {"drawing": "%%%"}, "base64"),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused(files, texts, words):
    with pytest.raises(ValueError, match=words):
        read(files, **texts)
