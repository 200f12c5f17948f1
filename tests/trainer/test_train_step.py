import dataclasses
import shutil

import pytest
import sine
import torch
from torch import nn

from ansatz.core.recipe import Loss, Position, TrainConfig
from ansatz.trainer.optimizer import learning_rate
from ansatz.trainer.step import TrainStep

CONFIG = TrainConfig(steps=30, warmup_steps=5, learning_rate=0.01)


def take(step: TrainStep, batch_size: int, steps: int = 30) -> list[float]:
    batches, micros = sine.batches(batch_size), step.config.accumulate
    return [
        float(step([batches(Position(0, i, m, micros)) for m in range(micros)], i).total)
        for i in range(steps)
    ]


def weights(step: TrainStep) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in step.state.model.parameters()])


def test_a_step_is_exactly_the_one_of_a_loop_written_by_hand():
    config = dataclasses.replace(CONFIG, weight_decay=0.1, clip_norm=0.3)
    step = TrainStep(sine.network(), sine.objective, config, sine.CPU)
    losses = take(step, 8)

    model, batches, expected = sine.network(), sine.batches(8), []
    decayed, others = [model[0].weight, model[3].weight], [model[0].bias, model[3].bias]
    optimizer = torch.optim.AdamW(
        [{"params": decayed}, {"params": others, "weight_decay": 0.0}],
        weight_decay=0.1,
        fused=True,
    )
    for index in range(30):
        batch = batches(Position(0, index))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, index)
        optimizer.zero_grad()
        loss = (model(batch["x"]) - batch["y"]).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.3)
        optimizer.step()
        expected.append(loss.item())

    assert losses == expected
    assert torch.equal(weights(step), torch.cat([p.flatten() for p in model.parameters()]))


def test_two_accumulated_batches_make_the_step_of_one_of_twice_the_size():
    once = TrainStep(sine.network(), sine.objective, CONFIG, sine.CPU)
    twice = dataclasses.replace(CONFIG, accumulate=2)
    accumulated = TrainStep(sine.network(), sine.objective, twice, sine.CPU)
    expected = take(once, 16)
    assert take(accumulated, 8) == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(weights(accumulated), weights(once), rtol=0, atol=1e-6)


def test_the_average_follows_every_step_of_the_weights():
    config = dataclasses.replace(CONFIG, ema_decay=0.8)
    step = TrainStep(sine.network(), sine.objective, config, sine.CPU)
    start = weights(step).clone()
    path = []
    for index in range(10):
        step([sine.batches(8)(Position(0, index))], index)
        path.append(weights(step).clone())

    closed = 0.8**10 * start + sum(0.2 * 0.8 ** (9 - k) * w for k, w in enumerate(path))
    averaged = step.state.averaged_weights()
    found = torch.cat([averaged[name].flatten() for name, _ in step.state.model.named_parameters()])
    torch.testing.assert_close(found, closed, rtol=1e-5, atol=1e-7)


def test_fp16_on_a_processor_learns_with_a_gradient_scale():
    config = dataclasses.replace(CONFIG, precision="fp16")
    step = TrainStep(sine.network(), sine.objective, config, sine.CPU)
    losses = take(step, 16)
    assert step.state.scaler.is_enabled()
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def test_the_objectives_generator_and_dropout_follow_the_seed():
    def losses(seed: int) -> list[float]:
        config = dataclasses.replace(CONFIG, seed=seed)
        return take(TrainStep(sine.network(0.5), sine.noisy_objective, config, sine.CPU), 8, 5)

    assert losses(1) == losses(1)
    assert losses(1) != losses(2)


def test_cuda_graphs_on_a_processor_give_the_eager_step_and_say_why():
    config = dataclasses.replace(CONFIG, cuda_graphs=True)
    step = TrainStep(sine.network(), sine.objective, config, sine.CPU)
    assert (step.mode, step.reason) == (
        "eager",
        "no CUDA graph: it needs a CUDA device, and training runs on cpu",
    )
    plain = TrainStep(sine.network(), sine.objective, CONFIG, sine.CPU)
    assert take(step, 8, 3) == take(plain, 8, 3)


class Uncompilable(nn.Module):
    """Its shape of output depends on data in a way that the backend below refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = sine.network(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


def test_a_compiler_that_fails_gives_way_to_eager_with_the_same_numbers(monkeypatch):
    monkeypatch.setattr("ansatz.trainer.step._compiled", sine.compiled_in_vain)
    config = dataclasses.replace(CONFIG, compile=True)
    step = TrainStep(Uncompilable(), sine.noisy_objective, config, sine.CPU)
    found = take(step, 8, 4)

    assert step.mode == "eager"
    assert "torch.compile failed: BackendCompilerFailed" in step.reason
    plain = TrainStep(Uncompilable(), sine.noisy_objective, CONFIG, sine.CPU)
    assert found == take(plain, 8, 4)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
def test_the_compiled_step_learns_the_same_as_the_eager_one():
    compiled = TrainStep(
        sine.network(), sine.objective, dataclasses.replace(CONFIG, compile=True), sine.CPU
    )
    plain = TrainStep(sine.network(), sine.objective, CONFIG, sine.CPU)
    assert take(compiled, 8) == pytest.approx(take(plain, 8), rel=1e-4)
    assert (compiled.mode, compiled.reason) == ("compile", "")


def test_a_step_keeps_no_graph_of_its_losses():
    def leaky(model: nn.Module, batch: dict[str, torch.Tensor], rng: torch.Generator) -> Loss:
        total = model(batch["x"]).mean()
        return Loss(total, {"again": total * 2})

    step = TrainStep(sine.network(), leaky, CONFIG, sine.CPU)
    loss = step([sine.batches(4)(Position(0, 0))], 0)
    assert not loss.total.requires_grad
    assert not any(term.requires_grad for term in loss.terms.values())
