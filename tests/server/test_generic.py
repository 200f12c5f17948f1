"""An answer's tree of dataclasses becomes arrays under dotted names."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ansatz.server.dialect import Arrays, Form, Json
from ansatz.server.generic import encode_answer, named_arrays


@dataclass(frozen=True)
class Field:
    points: torch.Tensor
    name: str = "p"


@dataclass(frozen=True)
class Solution:
    field: Field
    ranges: dict
    notes: tuple = ()
    absent: Field | None = None
    count: int = 3
    where: Path = Path("x")
    huge: int = 10**30
    trained: bool = True

    def summary(self):
        return {"count": self.count, "error": float("nan"), "name": "a"}


def solution():
    points = torch.tensor([[1.0, 2.0]], dtype=torch.bfloat16, requires_grad=True)
    return Solution(
        Field(points), {"cd": ((0.2, 0.3), (0.1, 0.4)), "odd": ((1,), (2, 3))}, ("a", "long note")
    )


def test_arrays_numbers_and_words_are_named_by_their_path_and_the_rest_is_left_out():
    arrays = dict(named_arrays(solution()))

    assert set(arrays) == {
        "field.points",
        "field.name",
        "ranges.cd",
        "notes",
        "count",
        "trained",
    }
    np.testing.assert_array_equal(arrays["field.points"], np.float32([[1, 2]]))
    np.testing.assert_array_equal(arrays["ranges.cd"], [[0.2, 0.3], [0.1, 0.4]])
    assert arrays["notes"].tolist() == ["a", "long note"]
    assert arrays["field.name"] == "p"
    assert arrays["count"] == 3


def test_the_accept_header_chooses_between_archive_and_json():
    archive = encode_answer(solution(), None, Form())
    text = encode_answer(solution(), None, Form(accept="application/json"))

    assert isinstance(archive, Arrays)
    assert isinstance(text, Json)
    assert text.value["summary"] == {"count": 3, "error": None, "name": "a"}
    assert text.value["arrays"]["field.points"] == [[1.0, 2.0]]
    words = {"summary.count", "summary.error", "summary.name"}
    assert archive.arrays.keys() == text.value["arrays"].keys() | words
    assert archive.arrays["summary.count"] == 3
