import dataclasses
import threading

import pytest
import sine
import torch
from torch import Tensor, nn

from ansatz.core.recipe import Loss, Position, TrainConfig
from ansatz.trainer.checkpoint import latest
from ansatz.trainer.journal import read_log
from ansatz.trainer.loop import fit, run

CONFIG = TrainConfig(steps=30, warmup_steps=5, learning_rate=0.02, log_every=10, save_every=10)


def test_a_loop_learns_and_its_caller_can_stop_it():
    model, losses = sine.network(), []
    for step in fit(model, sine.objective, sine.batches(16), CONFIG, device=sine.CPU):
        losses.append(step.loss())
        assert step.model is model
        if step.number == 25:
            break
    assert len(losses) == 25
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_readings_come_every_interval_and_at_the_end():
    config = dataclasses.replace(CONFIG, steps=25)
    losses, readings = [], []
    for step in fit(sine.network(), sine.objective, sine.batches(16), config, device=sine.CPU):
        losses.append(step.loss())
        if step.reading is not None:
            readings.append(step.reading)
    assert [reading["step"] for reading in readings] == [10, 20, 25]
    assert readings[1]["loss"] == pytest.approx(sum(losses[10:20]) / 10, rel=1e-6)
    assert readings[2]["loss"] == pytest.approx(sum(losses[20:]) / 5, rel=1e-6)
    assert readings[0].keys() >= {"worst", "grad_norm"}


def exploding(at: int, value: float):
    def batch_at(position: Position, model: nn.Module) -> dict[str, Tensor]:
        batch = sine.batches(8)(position, model)
        return {**batch, "y": batch["y"] * value} if position.step == at else batch

    return batch_at


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run_and_names_its_step(value, tmp_path):
    config = dataclasses.replace(CONFIG, save_every=5)
    with pytest.raises(ValueError, match=r"loss of step 14 is .* Lower train.learning_rate"):
        run(
            sine.network(), sine.objective, exploding(13, value), config,
            folder=tmp_path, device=sine.CPU,
        )  # fmt: skip
    assert latest(tmp_path / "checkpoints").path.name == "step-00000010.safetensors"
    assert not (tmp_path / "model.safetensors").exists()


def test_a_gradient_that_is_not_finite_is_noticed_before_the_checkpoint(tmp_path):
    def pole(model: nn.Module, batch: dict[str, Tensor], rng: torch.Generator) -> Loss:
        at_zero = model[0].bias[0] * 0
        return Loss(model(batch["x"]).square().mean() + at_zero.sqrt())  # slope infinite, value 0

    config = dataclasses.replace(CONFIG, save_every=1)
    with pytest.raises(ValueError, match="after step 1 the weights are not finite"):
        run(sine.network(), pole, sine.batches(8), config, folder=tmp_path, device=sine.CPU)
    assert latest(tmp_path / "checkpoints").path is None


def test_a_run_leaves_weights_checkpoints_and_a_log(tmp_path, capsys):
    config = dataclasses.replace(CONFIG, cuda_graphs=True, keep=2)
    outcome = run(
        sine.network(), sine.objective, sine.batches(8), config, folder=tmp_path, device=sine.CPU
    )
    assert (outcome.number, outcome.stopped_by) == (30, "")
    assert outcome.weights.exists()
    names = sorted(path.stem for path in (tmp_path / "checkpoints").glob("*.safetensors"))
    assert names == ["step-00000020", "step-00000030"]
    rows = read_log(tmp_path / "log.jsonl")
    assert [row["step"] for row in rows if "loss" in row] == [10, 20, 30]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "step 30/30  loss" in printed.err
    assert "no CUDA graph: it needs a CUDA device" in printed.err


def test_the_final_weights_are_the_average_where_one_is_kept(tmp_path):
    from safetensors.torch import load_file

    config = dataclasses.replace(CONFIG, ema_decay=0.9)
    model = sine.network()
    run(model, sine.objective, sine.batches(8), config, folder=tmp_path, device=sine.CPU)
    final = load_file(tmp_path / "model.safetensors")
    saved = load_file(tmp_path / "checkpoints" / "step-00000030.safetensors")
    assert all(torch.equal(final[name], saved[f"average.{name}"]) for name in final)
    assert not torch.equal(final["0.weight"], model[0].weight)


def test_a_run_outside_the_main_thread_trains_without_signals(tmp_path):
    outcomes = []

    def train() -> None:
        data = sine.batches(8)
        outcome = run(
            sine.network(), sine.objective, data, CONFIG, folder=tmp_path, device=sine.CPU
        )
        outcomes.append(outcome)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert outcomes[0].number == 30


def test_a_run_without_a_folder_has_no_checkpoints():
    step = next(fit(sine.network(), sine.objective, sine.batches(8), CONFIG, device=sine.CPU))
    with pytest.raises(ValueError, match="give fit a folder"):
        step.save()


def test_fit_takes_up_its_folder(tmp_path):
    def steps() -> list[int]:
        numbers = []
        for step in fit(
            sine.network(), sine.objective, sine.batches(8), CONFIG,
            folder=tmp_path, device=sine.CPU,
        ):  # fmt: skip
            numbers.append(step.number)
            if step.number == 12:
                step.save()
                break
        return numbers

    assert steps()[-1] == 12
    assert steps() == list(range(13, 31))
