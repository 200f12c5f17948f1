import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from ansatz.core.recipe import Encoded
from ansatz.engine.batch import predict_all, request_digest


@dataclass(frozen=True)
class Weighing:
    letter: Path
    gravity: float = 9.81


@dataclass(frozen=True)
class Weight:
    newtons: float

    def summary(self):
        return {"weight": self.newtons}

    def save(self, folder, stem):
        path = folder / f"{stem}.txt"
        path.write_text(str(self.newtons))
        return [path]


class Scales:
    """Weighs files: one kilogram per byte; counts how often it is asked."""

    def __init__(self):
        self.asked = []

    def encode(self, request):
        size = len(request.letter.read_bytes())
        if not size:
            raise ValueError(f"{request.letter.name} is empty")
        self.asked.append(request.letter.stem)
        return Encoded({"mass": torch.tensor([float(size)])}, request.gravity)

    def forward(self, tensors):
        return {"mass": tensors["mass"]}

    def decode(self, outputs, encoded):
        return Weight(float(outputs["mass"]) * encoded.context)


@pytest.fixture
def letters(tmp_path):
    texts = {"a": "x", "b": "xx", "c": "xxx"}
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text)
    return {name: Weighing(tmp_path / f"{name}.txt", 10.0) for name in texts}


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def run(scales, letters, out, **more):
    return list(predict_all(scales, letters, out, workers=3, **more))


def test_answers_come_in_the_order_of_the_requests(letters, out):
    items = run(Scales(), letters, out)
    assert [(item.name, item.row["weight"]) for item in items] == [
        ("a", 10.0),
        ("b", 20.0),
        ("c", 30.0),
    ]
    assert (out / "b.txt").read_text() == "20.0"


def test_a_second_run_computes_nothing(letters, out):
    first = run(Scales(), letters, out)
    again = Scales()
    second = run(again, letters, out)
    assert again.asked == []
    assert [item.row for item in second] == [item.row for item in first]
    assert not any(item.is_new for item in second)


def test_another_question_is_asked_again(letters, out):
    run(Scales(), letters, out)
    scales = Scales()
    moon = {name: Weighing(request.letter, 1.62) for name, request in letters.items()}
    assert run(scales, moon, out)[0].row["weight"] == pytest.approx(1.62)
    assert sorted(scales.asked) == ["a", "b", "c"]


def test_a_file_whose_content_changed_is_asked_again(letters, out):
    run(Scales(), letters, out)
    letters["b"].letter.write_text("xxxxx")
    scales = Scales()
    assert [item.row["weight"] for item in run(scales, letters, out)] == [10.0, 50.0, 30.0]
    assert scales.asked == ["b"]


def test_another_model_is_asked_again(letters, out):
    run(Scales(), letters, out, salt="one checkpoint")
    scales = Scales()
    run(scales, letters, out, salt="another")
    assert len(scales.asked) == 3


def test_one_bad_input_fails_alone_and_is_tried_again(letters, out):
    letters["b"].letter.write_text("")
    items = run(Scales(), letters, out)
    assert [item.failed for item in items] == [False, True, False]
    assert items[1].row == {"error": "b.txt is empty"}
    letters["b"].letter.write_text("xx")
    scales = Scales()
    assert not any(item.failed for item in run(scales, letters, out))
    assert scales.asked == ["b"]


def test_an_input_that_cannot_even_be_looked_at_fails_alone(letters, out):
    letters["b"] = Weighing(Path("b" * 300), 10.0)
    items = run(Scales(), letters, out)
    assert [item.failed for item in items] == [False, True, False]
    assert "name too long" in items[1].row["error"]


def test_an_answer_whose_row_was_not_written_is_asked_again(letters, out):
    run(Scales(), letters, out)
    (out / "items" / "c.json").unlink()  # killed between the files and the row
    scales = Scales()
    run(scales, letters, out)
    assert scales.asked == ["c"]


def test_an_answer_whose_file_is_gone_is_asked_again(letters, out):
    run(Scales(), letters, out)
    (out / "a.txt").unlink()
    scales = Scales()
    run(scales, letters, out)
    assert scales.asked == ["a"]
    assert (out / "a.txt").exists()


def test_a_caller_may_stop_and_go_on_later(letters, out):
    answers = predict_all(Scales(), letters, out, workers=1)
    assert next(answers).name == "a"
    answers.close()
    assert len(run(Scales(), letters, out)) == 3


def test_rows_are_plain_json(letters, out):
    run(Scales(), letters, out)
    assert json.loads((out / "items" / "a.json").read_text())["row"] == {"weight": 10.0}


@dataclass(frozen=True)
class Field:
    values: object


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros(5000), np.r_[np.zeros(4999), 1.0]),
        (torch.zeros(5000), torch.cat([torch.zeros(4999), torch.ones(1)])),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(2, np.float32), np.zeros(1, np.float64)),
        (b"abc", b"abd"),
        ((np.zeros(5000), 1), (np.r_[np.zeros(4999), 1.0], 1)),
        (Field(np.zeros(5000)), Field(np.r_[np.zeros(4999), 1.0])),
        (1, "1"),
        (None, "None"),
    ],
)
def test_requests_that_differ_have_different_digests(one, other):
    assert request_digest(Field(one), "") != request_digest(Field(other), "")
    assert request_digest(Field(one), "") == request_digest(Field(one), "")
