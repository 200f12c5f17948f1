import dataclasses
from itertools import pairwise

import pytest
import sine
import torch
from torch import nn

from ansatz.core.recipe import TrainConfig
from ansatz.trainer.optimizer import Update, learning_rate, make_optimizer, set_rate

CONFIG = TrainConfig(steps=100, learning_rate=0.02, warmup_steps=10, final_rate=0.1)


def test_the_rate_rises_in_a_line_peaks_after_the_warm_up_and_ends_at_its_final_share():
    rates = [learning_rate(CONFIG, index) for index in range(100)]
    assert rates[0] == pytest.approx(0.002)
    assert rates[4] == pytest.approx(0.01)
    assert rates[9] == max(rates) == pytest.approx(0.02)
    assert rates[54] == pytest.approx(0.02 * (0.1 + 0.9 / 2))  # half way down the cosine
    assert rates[99] == pytest.approx(0.002)
    assert all(a > b for a, b in pairwise(rates[9:]))


def test_a_linear_schedule_falls_on_a_line():
    linear = dataclasses.replace(CONFIG, schedule="linear")
    rates = [learning_rate(linear, index) for index in range(9, 100)]
    assert rates[0] == pytest.approx(0.02)
    assert rates[-1] == pytest.approx(0.002)
    assert [a - b for a, b in pairwise(rates)] == pytest.approx([0.018 / 90] * 90)


def test_a_run_shorter_than_its_warm_up_only_rises():
    short = dataclasses.replace(CONFIG, steps=5)
    assert learning_rate(short, 4) == pytest.approx(0.01)
    assert learning_rate(dataclasses.replace(CONFIG, warmup_steps=0, steps=1), 0) > 0


def test_decay_shrinks_matrices_and_leaves_biases_and_gains_alone():
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = make_optimizer(model, dataclasses.replace(CONFIG, weight_decay=0.5))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    set_rate(optimizer, 0.1)
    optimizer.step()

    for name, parameter in model.named_parameters():
        factor = 1 - 0.1 * 0.5 if name == "0.weight" else 1.0
        torch.testing.assert_close(parameter.detach(), factor * before[name], rtol=1e-6, atol=0)


def test_the_first_step_of_adamw_is_the_rate_in_the_direction_of_the_gradients_sign():
    model = nn.Linear(3, 2)
    before = model.weight.detach().clone()
    optimizer = make_optimizer(model, CONFIG)
    for parameter in model.parameters():
        parameter.grad = torch.linspace(-1, 2, parameter.numel()).reshape(parameter.shape)
    set_rate(optimizer, 0.01)
    optimizer.step()
    expected = before - 0.01 * torch.sign(model.weight.grad)
    torch.testing.assert_close(model.weight.detach(), expected, rtol=0, atol=1e-6)


def test_a_model_without_trainable_parameters_is_refused():
    frozen = sine.network().requires_grad_(False)
    with pytest.raises(ValueError, match="Sequential has nothing to train"):
        make_optimizer(frozen, CONFIG)


def test_the_short_way_to_the_kernel_gives_the_bits_of_torchs_own_step():
    config = dataclasses.replace(CONFIG, weight_decay=0.1)
    models = sine.network(), sine.network()
    short, plain = (make_optimizer(model, config) for model in models)
    update, generator = Update(short), torch.Generator().manual_seed(1)
    for index in range(12):
        for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
            a.grad = torch.randn(a.shape, generator=generator)
            b.grad = a.grad.clone()
        if index == 5:  # a parameter that a step leaves out keeps its counter
            models[0][0].bias.grad = models[1][0].bias.grad = None
        if index == 8:  # a restored state is another object
            short.load_state_dict(short.state_dict())
        for optimizer in (short, plain):
            set_rate(optimizer, learning_rate(config, index))
        update()
        plain.step()
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(a, b)
        for kind in ("exp_avg", "exp_avg_sq", "step"):
            assert torch.equal(short.state[a][kind], plain.state[b][kind])
    assert short.state[models[0][0].bias]["step"] == 11
