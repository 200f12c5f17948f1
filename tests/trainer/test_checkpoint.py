import dataclasses
import json
import random
from pathlib import Path

import numpy as np
import pytest
import sine
import torch
from safetensors import safe_open
from torch import nn

from ansatz.core.recipe import Position, TrainConfig
from ansatz.trainer import checkpoint
from ansatz.trainer.distributed import ALONE, World
from ansatz.trainer.step import TrainStep

CONFIG = TrainConfig(steps=30, warmup_steps=5, ema_decay=0.5, keep=2)


def trained(steps: int, config: TrainConfig = CONFIG, width: int = 16) -> TrainStep:
    step = TrainStep(sine.network(0.3, width), sine.noisy_objective, config, sine.CPU)
    for index in range(steps):
        step([sine.batches(8)(Position(0, index))], index)
    return step


def save(root: Path, step: TrainStep, number: int) -> None:
    checkpoint.save(root, step.state, number, step.config, ALONE)


def test_all_that_a_step_depends_on_comes_back(tmp_path):
    step = trained(6)
    save(tmp_path, step, 6)
    drawn = random.random(), np.random.rand(), torch.rand(1)
    batch = [sine.batches(8)(Position(0, 6))]
    expected = step(batch, 6).total

    fresh = trained(0)
    folder = checkpoint.latest(tmp_path).path
    number, notes = checkpoint.restore(folder, fresh.state, CONFIG, ALONE)

    assert (number, notes) == (6, ())
    assert (random.random(), np.random.rand(), torch.rand(1)) == drawn
    assert torch.equal(fresh(batch, 6).total, expected)
    for name, value in step.state.averaged_weights().items():
        assert torch.equal(fresh.state.averaged_weights()[name], value)


def test_moments_find_their_parameters_when_the_decay_regroups_them(tmp_path):
    step = trained(4)
    save(tmp_path, step, 4)
    decayed = dataclasses.replace(CONFIG, weight_decay=0.1)
    fresh = trained(0, decayed)
    _, notes = checkpoint.restore(checkpoint.latest(tmp_path).path, fresh.state, decayed, ALONE)
    assert notes == ("train.weight_decay was 0.0 and is 0.1",)
    for old, new in zip(step.state.model.parameters(), fresh.state.model.parameters(), strict=True):
        moments = step.state.optimizer.state[old], fresh.state.optimizer.state[new]
        assert torch.equal(moments[0]["exp_avg_sq"], moments[1]["exp_avg_sq"])
        assert fresh.state.optimizer.state[new]["step"] == 4


@pytest.mark.parametrize("damage", ["truncated", "flipped", "unsealed"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before_and_is_named(damage, tmp_path):
    step = trained(3)
    save(tmp_path, step, 3)
    save(tmp_path, step, 4)
    path = tmp_path / "step-00000004.safetensors"
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(content[:-10])
    elif damage == "flipped":
        content[-3] ^= 1
        path.write_bytes(content)
    else:
        path.with_suffix(".sha256").unlink()

    found = checkpoint.latest(tmp_path)

    assert found.path == tmp_path / "step-00000003.safetensors"
    assert len(found.notes) == 1
    assert "step-00000004.safetensors is damaged" in found.notes[0]


def test_a_damaged_checkpoint_is_replaced_when_its_step_is_saved_again(tmp_path):
    step = trained(3)
    save(tmp_path, step, 3)
    path = tmp_path / "step-00000003.safetensors"
    path.write_bytes(b"")
    assert checkpoint.latest(tmp_path).path is None
    save(tmp_path, step, 3)
    assert checkpoint.latest(tmp_path) == checkpoint.Found(path, ())


def test_only_the_newest_are_kept_and_leftovers_go(tmp_path):
    step = trained(2)
    (tmp_path / ".step-00000001.safetensors.x.safetensors").touch()  # of a killed process
    for number in (8, 9, 10, 100):
        save(tmp_path, step, number)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        f"step-{number}.{suffix}"
        for number in ("00000010", "00000100")
        for suffix in ("safetensors", "sha256")
    ]


def test_a_folder_without_checkpoints_has_none(tmp_path):
    assert checkpoint.latest(tmp_path / "nowhere") == checkpoint.Found(None, ())


def test_the_checkpoint_of_another_network_is_refused_with_the_differences(tmp_path):
    save(tmp_path, trained(2), 2)
    wider = trained(0, width=32)
    with pytest.raises(ValueError, match=r"size mismatch for 0.weight: .*\[16, 2\].*\[32, 2\]"):
        checkpoint.restore(tmp_path / "step-00000002.safetensors", wider.state, CONFIG, ALONE)
    deeper = TrainStep(
        nn.Sequential(*sine.network(), nn.Linear(1, 1)), sine.objective, CONFIG, sine.CPU
    )
    with pytest.raises(ValueError, match=r"Missing key\(s\) in state_dict: .*4\.bias"):
        checkpoint.restore(tmp_path / "step-00000002.safetensors", deeper.state, CONFIG, ALONE)


def test_weights_that_are_not_finite_do_not_replace_good_ones(tmp_path):
    step = trained(2)
    save(tmp_path, step, 2)
    with torch.no_grad():
        step.state.model[0].weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="after step 3 the weights are not finite"):
        save(tmp_path, step, 3)
    assert checkpoint.latest(tmp_path).path == tmp_path / "step-00000002.safetensors"


def test_another_number_of_processes_goes_on_with_new_draws_and_says_so(tmp_path):
    save(tmp_path, trained(2), 2)
    fresh = trained(0)
    number, notes = checkpoint.restore(
        tmp_path / "step-00000002.safetensors", fresh.state, CONFIG, World(1, 3)
    )
    assert number == 2
    assert notes == ("the checkpoint is of 1 processes and 3 go on: random draws are new ones",)


def test_an_average_that_was_not_kept_starts_from_the_weights(tmp_path):
    save(tmp_path, trained(2, dataclasses.replace(CONFIG, ema_decay=0.0)), 2)
    fresh = trained(0)
    _, notes = checkpoint.restore(
        tmp_path / "step-00000002.safetensors", fresh.state, CONFIG, ALONE
    )
    assert notes == ("train.ema_decay was 0.0 and is 0.5",)
    assert torch.equal(fresh.state.average["0.weight"], fresh.state.model[0].weight)


def test_tied_weights_survive(tmp_path):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    step = TrainStep(model, sine.objective, CONFIG, sine.CPU)
    step([{"x": torch.rand(4, 2), "y": torch.rand(4, 1)}], 0)
    save(tmp_path, step, 1)
    expected = model[1].weight.detach().clone()
    with torch.no_grad():
        model[0].weight.zero_()
    checkpoint.restore(tmp_path / "step-00000001.safetensors", step.state, CONFIG, ALONE)
    assert torch.equal(model[1].weight, expected)
    assert model[1].weight is model[0].weight


def test_a_checkpoint_is_read_by_safetensors_and_json_alone(tmp_path):
    save(tmp_path, trained(2), 2)
    with safe_open(tmp_path / "step-00000002.safetensors", "numpy") as file:
        about = json.loads(file.metadata()["state"])
        kinds = {name.partition(".")[0] for name in [*file.keys()]}
    assert kinds == {"model", "average", "exp_avg", "exp_avg_sq", "step"}
    assert about["step"] == 2
    assert about["config"]["ema_decay"] == 0.5


def test_a_write_that_fails_leaves_the_checkpoint_before_it(tmp_path, monkeypatch):
    step = trained(2)
    save(tmp_path, step, 2)

    def half(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint, "save_file", half)
    for number in (2, 3):
        with pytest.raises(OSError, match="disk full"):
            save(tmp_path, step, number)
    assert checkpoint.latest(tmp_path) == checkpoint.Found(
        tmp_path / "step-00000002.safetensors", ()
    )
    assert len(list(tmp_path.iterdir())) == 2


def test_the_gradient_scale_of_fp16_comes_back(tmp_path):
    half = dataclasses.replace(CONFIG, precision="fp16")
    step = trained(2, half)
    step.state.scaler.update(1234.0)
    save(tmp_path, step, 2)
    fresh = trained(0, half)
    checkpoint.restore(tmp_path / "step-00000002.safetensors", fresh.state, half, ALONE)
    assert fresh.state.scaler.get_scale() == 1234.0
    other = trained(0)
    _, notes = checkpoint.restore(
        tmp_path / "step-00000002.safetensors", other.state, CONFIG, ALONE
    )
    assert notes == ("train.precision was fp16 and is fp32",)
