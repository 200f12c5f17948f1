"""The CUDA-graph form of the step. What needs no GPU is tested everywhere."""

import dataclasses

import pytest
import sine
import torch
from torch import nn

from ansatz.core.recipe import Loss, Position, TrainConfig
from ansatz.trainer.graph import Batch, fill
from ansatz.trainer.step import TrainStep

CONFIG = TrainConfig(
    steps=50, warmup_steps=5, learning_rate=0.01, ema_decay=0.9, cuda_graphs=True,
    cuda_graph_warmup=5, precision="fp32",
)  # fmt: skip


def buffers() -> list[Batch]:
    return [{"x": torch.zeros(4, 2), "k": torch.zeros(4, dtype=torch.int64)}]


def test_static_inputs_keep_their_place_and_take_the_numbers():
    inputs = buffers()
    place = inputs[0]["x"].data_ptr()
    x = torch.arange(8.0).reshape(4, 2)
    fill(inputs, [{"x": x, "k": torch.arange(4)}])
    assert inputs[0]["x"].data_ptr() == place
    assert torch.equal(inputs[0]["x"], x)


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "takes 1 micro-batches, got 0"),
        ([{"x": torch.zeros(4, 2)}], r"\['k', 'x'\], got \['x'\]"),
        (
            [{"x": torch.zeros(5, 2), "k": torch.zeros(4, dtype=torch.int64)}],
            r"x is torch.float32 \(5, 2\) on cpu, .* torch.float32 \(4, 2\) on cpu",
        ),
        (
            [{"x": torch.zeros(4, 2), "k": torch.zeros(4)}],
            r"k is torch.float32 \(4,\) .* captured with torch.int64",
        ),
    ],
)
def test_static_inputs_refuse_another_form(batches, message):
    with pytest.raises(ValueError, match=message):
        fill(buffers(), batches)


# ------------------------------------------------------------------------------- with a GPU
def take(config: TrainConfig, steps: int = 50, dropout: float = 0.0) -> tuple[list, TrainStep]:
    device = torch.device("cuda")
    step = TrainStep(sine.network(dropout), sine.noisy_objective, config, device)
    losses = []
    for index in range(steps):
        batches = [
            {
                name: tensor.to(device)
                for name, tensor in sine.batches(8)(
                    Position(0, index, micro, config.accumulate)
                ).items()
            }
            for micro in range(config.accumulate)
        ]
        losses.append(step(batches, index).total)
    return [float(loss) for loss in losses], step


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_replayed_run_has_the_losses_of_an_eager_one(precision, accumulate):
    config = dataclasses.replace(CONFIG, precision=precision, accumulate=accumulate)
    replayed, step = take(config, dropout=0.1)
    eager, plain = take(dataclasses.replace(config, cuda_graphs=False), dropout=0.1)
    assert (step.mode, step.reason) == ("cuda graph", "")
    assert plain.mode == "eager"
    assert replayed == pytest.approx(eager, rel=1e-4 if precision == "fp32" else 2e-2)
    for name, value in plain.state.averaged_weights().items():
        torch.testing.assert_close(step.state.averaged_weights()[name], value, rtol=1e-3, atol=1e-3)


@pytest.mark.gpu
def test_a_step_warms_up_before_it_is_captured():
    _, step = take(CONFIG, steps=5)
    assert step.mode == "eager"
    assert "5 eager steps" in step.reason


@pytest.mark.gpu
def test_a_captured_step_refuses_another_shape():
    _, step = take(CONFIG, steps=10)
    batch = {"x": torch.zeros(9, 2, device="cuda"), "y": torch.zeros(9, 1, device="cuda")}
    with pytest.raises(ValueError, match=r"\(9, 2\)"):
        step([batch], 10)


@pytest.mark.gpu
def test_an_objective_that_waits_for_the_device_is_trained_eagerly_with_the_reason():
    def waiting(model: nn.Module, batch: dict[str, torch.Tensor], rng: torch.Generator) -> Loss:
        loss = sine.objective(model, batch, rng)
        return Loss(loss.total * (1.0 if loss.total.item() > 0 else 2.0))

    device = torch.device("cuda")
    step = TrainStep(sine.network(), waiting, CONFIG, device)
    losses = [
        step([{k: v.to(device) for k, v in sine.batches(8)(Position(0, i)).items()}], i).total
        for i in range(10)
    ]
    assert step.mode == "eager"
    assert "capture failed" in step.reason
    assert all(torch.isfinite(loss) for loss in losses)


@pytest.mark.gpu
def test_a_compiler_that_fails_is_named_beside_a_graph_that_was_captured(monkeypatch):
    monkeypatch.setattr("ansatz.trainer.step._compiled", sine.compiled_in_vain)
    _, step = take(dataclasses.replace(CONFIG, compile=True), steps=10)
    assert step.mode == "cuda graph"
    assert "torch.compile failed" in step.reason
