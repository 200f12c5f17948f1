"""Two processes that train together take the steps of one with twice the batch."""

import json

import pytest
from processes import command, together

TRAIN = ["train", "pde/helmholtz", "log_every=1", "save_every=0", "width=10", "depth=2"]


def losses(folder, processes, *words):
    """The losses of a run of `ansatz train pde/helmholtz`, step by step."""
    words, home = [*TRAIN, *words, "--out", str(folder)], str(folder.parent / "home")
    assert together(processes, command, words, ANSATZ_HOME=home) == [0] * processes
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


@pytest.mark.parametrize(
    ("optimizer", "close"),
    [
        (["optimizer=adamw", "train.steps=12", "warmup_steps=2"], 1e-12),
        (["train.steps=8"], 1e-9),  # quasi-Newton: rounding grows from step to step
    ],
    ids=["adamw", "ssbroyden"],
)
def test_two_processes_have_the_loss_curve_of_one_with_twice_the_batch(tmp_path, optimizer, close):
    alone = losses(tmp_path / "one", 1, *optimizer, "batch_size=2")
    pair = losses(tmp_path / "two", 2, *optimizer, "batch_size=1")
    assert len(alone) > 7
    assert pair == pytest.approx(alone, rel=close)
