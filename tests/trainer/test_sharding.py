"""Weights in parts: the numbers of whole ones, and checkpoints that do not know the difference."""

import signal
from dataclasses import replace

import pytest
import sharded
import sine
import torch
from processes import together
from safetensors.torch import load_file

from ansatz.core.recipe import TrainConfig
from ansatz.trainer.checkpoint import latest
from ansatz.trainer.journal import read_log
from ansatz.trainer.loop import fit, run
from ansatz.trainer.step import TrainStep


def alone(config: TrainConfig) -> tuple[list[dict[str, float]], TrainStep]:
    """Readings and end of a run whose batches are those of two processes and micro-steps."""
    whole = replace(config, sharded=False, accumulate=1)
    steps = fit(sine.deep(), sine.objective, sine.batches(16), whole, device=sine.CPU)
    seen = list(steps)
    return [step.reading for step in seen], seen[-1].training.step


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"optimizer": "muon"},
        {"precision": "fp64", "learning_rate": 1e-2},
        {"clip_norm": 1e-3},
    ],
    ids=str,
)
def test_two_processes_with_parts_take_the_steps_of_one_with_all(change, tmp_path):
    config = replace(sharded.CONFIG, **change)
    assert together(2, sharded.train, tmp_path, config) == [0, 0]

    readings, step = alone(config)

    found = load_file(tmp_path / "all")
    # Sums over samples are taken in another order: float32 rounding, a few units per step.
    rounding = 1e-12 if config.precision == "fp64" else 1e-5
    for name in ("loss", "grad_norm"):
        expected = torch.tensor([reading[name] for reading in readings])
        torch.testing.assert_close(found[name], expected, rtol=10 * rounding, atol=1e-7)
    for kind, named in (("model", step.state.model.state_dict()), ("average", step.state.average)):
        for name, value in named.items():
            torch.testing.assert_close(found[f"{kind}.{name}"], value, rtol=rounding, atol=rounding)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_parts_take_the_steps_that_two_processes_take_with_all(precision, tmp_path):
    config = replace(sharded.CONFIG, precision=precision)
    found = []
    for is_sharded in (True, False):
        folder = tmp_path / str(is_sharded)
        folder.mkdir()
        again = replace(config, sharded=is_sharded)
        assert together(2, sharded.train, folder, again) == [0, 0]
        found.append(load_file(folder / "all"))
    parts, whole = found
    assert parts.keys() == whole.keys()
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=1e-5, atol=1e-6)


def ends(folder):
    return [
        sine.sha256(folder / "model.safetensors"),
        sine.sha256(latest(folder / "checkpoints").path),
    ]


def test_two_processes_killed_together_end_with_the_same_bits(tmp_path):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    killed.mkdir()
    assert together(2, sharded.go_on, straight, sharded.LONG) == [0, 0]
    assert together(2, sharded.go_on, killed, sharded.LONG, 13) == [-signal.SIGKILL] * 2
    assert latest(killed / "checkpoints").path.name == "step-00000010.safetensors"

    assert together(2, sharded.go_on, killed, sharded.LONG) == [0, 0]

    notes = [row.get("note", "") for row in read_log(killed / "log.jsonl")]
    assert any("resumed from" in note and "step-00000010" in note for note in notes)
    assert ends(killed) == ends(straight)


@pytest.mark.parametrize(("first", "optimizer"), [(2, "adamw"), (1, "adamw"), (2, "muon")])
def test_another_number_of_processes_goes_on_from_whole_or_parts(first, optimizer, tmp_path):
    config = replace(sharded.LONG, optimizer=optimizer)
    plain = replace(config, accumulate=4, sharded=False)
    straight, changed = tmp_path / "straight", tmp_path / "changed"
    run(sine.deep(), sine.objective, sine.batches(4), plain, folder=straight, device=sine.CPU)
    stages = {2: (2, config), 1: (1, plain)}
    changed.mkdir()
    for number in (first, 3 - first):
        ranks, how = stages[number]
        fatal = 13 if number == first else -1
        codes = together(ranks, sharded.go_on, changed, how, fatal)
        assert codes == [-signal.SIGKILL if fatal > 0 else 0] * ranks

    for path in ("model.safetensors", "checkpoints/step-00000020.safetensors"):
        one, two = load_file(straight / path), load_file(changed / path)
        assert one.keys() == two.keys()
        for name, value in one.items():
            assert two[name].shape == value.shape
            torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["soap", "ssbroyden"])
def test_optimizers_that_look_at_whole_matrices_refuse_parts(optimizer, tmp_path):
    config = replace(sharded.CONFIG, optimizer=optimizer)
    assert together(2, sharded.refused, tmp_path, config) == [0, 0]
    assert (tmp_path / "error").read_text() == (
        f"train.sharded keeps weights in parts, and train.optimizer={optimizer} looks at whole "
        "matrices: take adamw or muon, or train.sharded=False"
    )


def test_one_process_keeps_weights_whole_and_says_so(tmp_path):
    config = replace(sharded.CONFIG, accumulate=1)
    both = [tmp_path / "whole", tmp_path / "parts"]
    for folder, asked in zip(both, (replace(config, sharded=False), config), strict=True):
        run(sine.deep(), sine.objective, sine.batches(4), asked, folder=folder, device=sine.CPU)
    notes = [row.get("note", "") for row in read_log(both[1] / "log.jsonl")]
    assert "one process trains, and keeps weights whole: train.sharded is for more" in notes
    assert ends(both[0])[0] == ends(both[1])[0]
