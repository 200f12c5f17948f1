"""The two stages: preconditioning, targets, the frozen mean."""

import math

import pytest
import torch

from ansatz.weather.model.config import Mean, Residual, Shape
from ansatz.weather.model.stages import preconditioning

TINY = Shape(width=8, levels=(1, 2), blocks=1)


def stage(kind="denoiser", **more):
    torch.manual_seed(0)
    made = Residual(TINY, kind, Mean(TINY), num_condition=3, num_outputs=2, **more).build()
    made.scale.copy_(torch.tensor([0.5, 2.0]))
    for weight in made.parameters():
        if weight.ndim > 1:
            weight.data = torch.randn(weight.shape) / weight[0].numel() ** 0.5
    return made.double().eval()


def fields(channels, count=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, channels, 8, 8, generator=generator, dtype=torch.float64)


def test_preconditioning_has_its_limits():
    low, high = torch.tensor([1e-6, 1e6], dtype=torch.float64)
    skip, out, scale = preconditioning(low, 1.0)
    assert float(skip) == pytest.approx(1)
    assert float(out) == pytest.approx(1e-6)
    assert float(scale) == pytest.approx(1)
    skip, out, scale = preconditioning(high, 1.0)
    assert float(skip) == pytest.approx(0, abs=1e-11)
    assert float(out) == pytest.approx(1)
    assert float(scale) == pytest.approx(1e-6)


def test_targets_of_a_denoiser_have_unit_variance_at_every_level():
    # Karras et al., app. B.6: with data of standard deviation σ_d they do.
    generator = torch.Generator().manual_seed(0)
    residual, noise = torch.randn(2, 400_000, generator=generator, dtype=torch.float64)
    for sigma in (0.01, 0.3, 1.0, 5.0, 80.0):
        level = torch.tensor(sigma, dtype=torch.float64)
        skip, out, _ = preconditioning(level, 0.5)
        x = 0.5 * residual + sigma * noise
        assert float(((0.5 * residual - skip * x) / out).var()) == pytest.approx(1, abs=0.01)


def test_what_training_compares_is_the_denoisers_error_weighted_by_its_output_scale():
    made = stage(sigma_data=0.7)
    fine, noise, condition = fields(2), fields(2, seed=1), fields(3, seed=2)
    sigma = torch.tensor([0.4, 3.0], dtype=torch.float64)
    with torch.no_grad():
        said, target = made(fine, noise, sigma, condition)
        mean = made.mean_of(condition)
        residual = (fine - mean) / torch.tensor([0.5, 2.0])[:, None, None]
        x = residual + sigma[:, None, None, None] * noise
        denoised = made.denoise(x, sigma, condition, mean)
    weight = (sigma**2 + 0.49) / (sigma * 0.7) ** 2
    expected = weight[:, None, None, None] * (denoised - residual) ** 2
    torch.testing.assert_close((said - target) ** 2, expected, rtol=1e-9, atol=1e-12)


def test_the_velocity_of_a_known_field_takes_noise_to_it():
    made = stage("velocity")
    fine, noise, condition = fields(2), fields(2, seed=1), fields(3, seed=2)
    time = torch.tensor([0.2, 0.9], dtype=torch.float64)
    with torch.no_grad():
        said, target = made(fine, noise, time, condition)
        mean = made.mean_of(condition)
        at = time[:, None, None, None]
        residual = target + noise
        x = (1 - at) * noise + at * residual
        torch.testing.assert_close(made.velocity(x, time, condition, mean), said)
        torch.testing.assert_close(x + (1 - at) * target, residual)
        torch.testing.assert_close(made.member(mean, residual), fine)


def test_several_noises_of_a_field_are_as_several_fields():
    made = stage("generator")
    fine, noise, condition = fields(2), fields(2, count=6, seed=1), fields(3, seed=2)
    with torch.no_grad():
        said, target = made(fine, noise, torch.zeros(6).double(), condition)
        mean = made.mean_of(condition)
        for number in range(6):
            one = slice(number // 3, number // 3 + 1)
            sample = made.generate(noise[number : number + 1], condition[one], mean[one])
            torch.testing.assert_close(said[number : number + 1], sample)
            torch.testing.assert_close(
                made.member(mean, target[number : number + 1])[one], fine[one]
            )


def test_denoising_takes_one_level_for_all_or_one_for_each():
    made = stage()
    x, condition = fields(2), fields(3, seed=2)
    with torch.no_grad():
        mean = made.mean_of(condition)
        one = made.denoise(x, torch.tensor(0.7).double(), condition, mean)
        each = made.denoise(x, torch.full((2,), 0.7).double(), condition, mean)
    assert torch.allclose(one, each)


def test_the_mean_neither_learns_nor_drops_while_the_rest_trains():
    shape = Shape(width=8, levels=(1, 2), blocks=1, dropout=0.5)
    made = Residual(shape, mean=Mean(shape), num_condition=3, num_outputs=2).build()
    made.train()
    assert made.network.training
    assert not any(module.training for module in made.mean.modules())
    said, target = made(
        fields(2).float(), fields(2, seed=1).float(), torch.ones(2), fields(3).float()
    )
    (said - target).square().mean().backward()
    assert all(p.grad is None for p in made.mean.parameters())
    assert all(p.grad is not None for p in made.network.parameters())


def test_one_checkpoint_holds_both_stages_and_the_scale():
    made, other = stage(), stage()
    other.load_state_dict(made.state_dict())
    names = set(made.state_dict())
    assert "scale" in names
    assert "mean.network.first.weight" in names
    assert "mean.gain" in names
    x, condition = fields(2), fields(3, seed=2)
    with torch.no_grad():
        assert torch.equal(made.mean_of(condition), other.mean_of(condition))
        mean, level = made.mean_of(condition), torch.tensor(2.0).double()
        both = [net.denoise(x, level, condition, mean) for net in (made, other)]
    assert torch.equal(*both)
    assert math.isfinite(float(both[0].sum()))


def test_a_fresh_mean_that_follows_its_input_says_the_input():
    mean = Mean(TINY, num_condition=3, num_outputs=2).build().double().eval()
    mean.gain.copy_(torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]))
    mean.offset.copy_(torch.tensor([0.5, 0.0]))
    condition = fields(3)
    with torch.no_grad():
        found = mean(condition)
    torch.testing.assert_close(found[:, 0], 2 * condition[:, 1] + 0.5, rtol=0, atol=1e-3)
    torch.testing.assert_close(found[:, 1], torch.zeros(2, 8, 8).double(), rtol=0, atol=1e-3)
