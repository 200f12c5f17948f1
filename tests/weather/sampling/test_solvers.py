"""Solvers on data whose flow is known: Gaussian fields, where the denoiser is linear.

For data N(m, s²) under noise σ the expected field is m + s² / (s² + σ²) (x - m), and the flow keeps
(x - m) / √(s² + σ²).
"""

import math
from itertools import pairwise

import pytest
import torch

from ansatz.weather.sampling.flow import flow, flow_evaluations
from ansatz.weather.sampling.heun import heun, heun_evaluations
from ansatz.weather.sampling.multistep import multistep
from ansatz.weather.sampling.noise import noise_of
from ansatz.weather.sampling.schedule import noise_levels

MEAN, SPREAD = 0.3, 0.8


def denoise(x, sigma):
    return MEAN + SPREAD**2 / (SPREAD**2 + sigma**2) * (x - MEAN)


def exact(start, high, low):
    """Where the flow takes `start`, from one level to another."""
    return MEAN + (start - MEAN) * math.sqrt((SPREAD**2 + low**2) / (SPREAD**2 + high**2))


def velocity(x, t):
    """Of straight paths from N(0, 1) to N(m, s²): E[y - n | (1 - t) n + t y = x]."""
    variance = (1 - t) ** 2 + (t * SPREAD) ** 2
    return MEAN + (t * SPREAD**2 - (1 - t)) / variance * (x - t * MEAN)


def order(errors):
    """How often the error halves, doubling the steps."""
    return [math.log2(one / other) for one, other in pairwise(errors)]


def noise(count=50):
    return torch.randn(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("solver", [heun, multistep])
def test_solvers_of_a_denoiser_are_of_second_order(solver):
    high, low, start = 20.0, 0.1, noise()
    errors = []
    for steps in (32, 64, 128, 256):
        levels = noise_levels(steps, low, high)[:-1]
        found = solver(denoise, start, levels)
        errors.append(float((found - exact(high * start, high, low)).abs().max()))
    assert order(errors)[-1] == pytest.approx(2, abs=0.15)


def test_flow_matching_is_at_least_of_second_order():
    start = noise()
    errors = []
    for steps in (8, 16, 32, 64):
        found = flow(velocity, start, steps)
        errors.append(float((found - (MEAN + SPREAD * start)).abs().max()))
    assert order(errors)[-1] > 1.9


@pytest.mark.parametrize(
    ("solver", "steps", "ends", "least", "most"),
    [
        (heun, 18, (0.002, 800, 7), 1.076, 1.267),
        (heun, 18, (0.002, 80, 7), 1.031, 1.111),
        (heun, 18, (0.02, 20, 10), 0.962, 1.022),
        (multistep, 9, (0.002, 80, 7), 0.968, 1.177),
        (multistep, 9, (0.02, 20, 10), 0.867, 1.063),
    ],
)
def test_the_spread_of_samples_is_what_the_schedule_says(solver, steps, ends, least, most):
    levels, start = noise_levels(steps, *ends), torch.ones(1, dtype=torch.float64)
    found = [
        float(solver(lambda x, sigma, s=s: s**2 / (s**2 + sigma**2) * x, start, levels)) / s
        for s in (0.05, 0.1, 0.2, 0.4, 0.8, 1, 1.5, 3)
    ]
    assert min(found) == pytest.approx(least, abs=2e-3)
    assert max(found) == pytest.approx(most, abs=2e-3)


def test_with_many_steps_samples_have_the_moments_of_the_data():
    start = noise(100_000)
    for solver in (heun, multistep):
        found = solver(denoise, start, noise_levels(200))
        assert float(found.mean()) == pytest.approx(MEAN, abs=0.02)
        assert float(found.std()) == pytest.approx(SPREAD, rel=0.01)


def test_a_denoiser_that_knows_the_field_is_followed_to_it_exactly():
    field = torch.randn(2, 4, 4, dtype=torch.float64)
    for solver in (heun, multistep):
        found = solver(lambda x, sigma: field, torch.randn(2, 4, 4).double(), noise_levels(5))
        torch.testing.assert_close(found, field, rtol=0, atol=1e-12)


def test_evaluations_are_what_is_said():
    counted = []

    def counts(x, sigma):
        counted.append(float(sigma))
        return denoise(x, sigma)

    for solver, steps, expected in ((heun, 18, heun_evaluations(18)), (multistep, 9, 9)):
        counted.clear()
        solver(counts, noise(), noise_levels(steps))
        assert len(counted) == expected
        assert min(counted) == pytest.approx(0.02)
    counted.clear()
    flow(counts, noise(), 4)
    assert len(counted) == flow_evaluations(4) == 8
    assert heun_evaluations(18) == 35


def test_levels_are_those_of_karras_et_al():
    levels = noise_levels(18, 0.002, 800.0, 7.0).tolist()
    assert levels[0] == pytest.approx(800)
    assert levels[-2] == pytest.approx(0.002)
    assert levels[-1] == 0
    third = 800 ** (1 / 7) + 2 / 17 * (0.002 ** (1 / 7) - 800 ** (1 / 7))
    assert levels[2] == pytest.approx(third**7)


def test_a_member_has_the_same_noise_in_any_ensemble():
    shape = (2, 16, 24)
    assert torch.equal(noise_of(7, 3, shape), noise_of(7, 3, shape))
    others = [noise_of(7, 2, shape), noise_of(8, 3, shape), noise_of(3, 7, shape)]
    for other in others:
        correlation = torch.corrcoef(torch.stack([noise_of(7, 3, shape).ravel(), other.ravel()]))
        assert abs(float(correlation[0, 1])) < 4 / math.sqrt(2 * 16 * 24)


def test_noise_is_normal():
    found = noise_of(0, 0, (4, 128, 128)).double()
    count = found.numel()
    assert abs(float(found.mean())) < 4 / math.sqrt(count)
    assert float(found.var()) == pytest.approx(1, abs=4 * math.sqrt(2 / count))
    assert float((found**4).mean()) == pytest.approx(3, abs=4 * math.sqrt(96 / count))
