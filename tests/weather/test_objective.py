"""Losses: their minima are the true distribution, their draws come from the generator."""

import math

import pytest
import torch
from torch import nn

from ansatz.weather.model.config import Mean, Residual, Shape
from ansatz.weather.objective import (
    Denoising,
    FlowMatching,
    MeanError,
    ProperScore,
    fair_terms,
    spread,
)

TINY = Shape(width=8, levels=(1, 2), blocks=1)


def batch(count=3):
    generator = torch.Generator().manual_seed(0)
    return {
        "condition": torch.randn(count, 3, 8, 8, generator=generator),
        "fine": torch.randn(count, 2, 8, 8, generator=generator),
        "place": torch.zeros(count, 2, dtype=torch.long),
    }


class Heard(nn.Module):
    """Keeps what it is asked, and says zero."""

    def forward(self, fine, noise, level, condition, place):
        self.noise, self.level = noise, level
        times = len(noise) // len(fine)
        return torch.zeros_like(noise), fine.repeat_interleave(times, 0)


def test_the_mean_error_is_the_mean_square_of_the_difference():
    class Half(nn.Module):
        def forward(self, condition, place):
            return batch()["fine"] + torch.tensor([0.5, -1.5])[:, None, None]

    loss = MeanError()(Half(), batch(), torch.Generator())
    assert float(loss.total) == pytest.approx((0.25 + 2.25) / 2)


@pytest.mark.parametrize(
    ("objective", "kind"),
    [
        (Denoising(), "denoiser"),
        (FlowMatching(), "velocity"),
        (ProperScore(), "generator"),
        (ProperScore("energy"), "generator"),
    ],
)
def test_draws_come_from_the_generator_and_all_weights_learn(objective, kind):
    torch.manual_seed(0)
    stage = Residual(TINY, kind, Mean(TINY), num_condition=3, num_outputs=2).build().train()
    rngs = [torch.Generator().manual_seed(seed) for seed in (5, 5, 6)]
    before = torch.get_rng_state()
    losses = [objective(stage, batch(), rng).total for rng in rngs]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(losses[0], losses[1])
    assert not torch.equal(losses[0], losses[2])
    losses[0].backward()
    for weight in stage.network.parameters():
        assert weight.grad is not None
        assert bool(weight.grad.isfinite().all())


def test_noise_levels_are_log_normal():
    heard, rng = Heard(), torch.Generator().manual_seed(0)
    Denoising(log_mean=-0.4, log_std=1.2)(heard, batch(4000), rng)
    logs = heard.level.log()
    assert float(logs.mean()) == pytest.approx(-0.4, abs=0.01)
    assert float(logs.std()) == pytest.approx(1.2, rel=0.01)


def test_times_are_uniform_with_one_in_each_part():
    rng = torch.Generator().manual_seed(0)
    found = spread(10, rng)
    assert (found * 10).floor().tolist() == list(range(10))
    many = torch.cat([spread(4, rng) for _ in range(2000)])
    assert float(many.mean()) == pytest.approx(0.5, abs=0.005)
    assert float(many.var()) == pytest.approx(1 / 12, rel=0.03)


def test_a_generator_is_given_so_many_noises_per_field():
    heard = Heard()
    ProperScore(members=4)(heard, batch(3), torch.Generator().manual_seed(0))
    assert heard.noise.shape == (12, 2, 8, 8)


def test_the_fair_crps_of_two_samples_is_that_of_its_definition():
    samples = torch.tensor([0.2, 1.0]).reshape(1, 2, 1, 1, 1)
    skill, inner = fair_terms(samples, torch.tensor(0.5).reshape(1, 1, 1, 1), "crps")
    assert float(skill) == pytest.approx((0.3 + 0.5) / 2)
    assert float(inner) == pytest.approx(0.8 / 2)


def test_the_fair_crps_of_normal_forecasts_is_the_closed_form_in_the_mean():
    # Gneiting & Raftery 2007, eq. 21, for N(0, s²) and a truth y.
    generator = torch.Generator().manual_seed(0)
    y, deviation, count = 0.7, 1.3, 400_000
    samples = deviation * torch.randn(count, 3, 1, 1, 1, generator=generator).double()
    skill, inner = fair_terms(samples, torch.full((count, 1, 1, 1), y).double(), "crps")
    z = y / deviation
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    closed = deviation * (z * math.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))
    assert float(skill - inner) == pytest.approx(closed, abs=0.006)


@pytest.mark.parametrize("score", ["crps", "energy"])
def test_the_true_spread_has_the_best_score(score):
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(20_000, 1, 2, 2, generator=generator)
    noise = torch.randn(20_000, 2, 1, 2, 2, generator=generator)
    scores = []
    for width in (0.7, 1.0, 1.3):
        skill, inner = fair_terms(width * noise, truth, score)
        scores.append(float(skill - inner))
    assert scores[1] == min(scores)


def test_only_the_energy_score_sees_how_cells_go_together():
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(20_000, 1, 1, 1, generator=generator)
    truth = one.expand(-1, 1, 4, 4)
    rough = torch.randn(20_000, 2, 1, 4, 4, generator=generator)
    smooth = torch.randn(20_000, 2, 1, 1, 1, generator=generator).expand(-1, 2, 1, 4, 4)
    found = {
        (score, name): float(torch.sub(*fair_terms(samples, truth, score)))
        for score in ("crps", "energy")
        for name, samples in (("rough", rough), ("smooth", smooth))
    }
    assert found["crps", "rough"] == pytest.approx(found["crps", "smooth"], abs=0.02)
    assert found["energy", "smooth"] < found["energy", "rough"] - 0.05


def test_members_that_agree_have_a_slope():
    samples = torch.zeros(1, 2, 1, 2, 2, requires_grad=True)
    skill, inner = fair_terms(samples, torch.ones(1, 1, 2, 2), "energy")
    (skill - inner).backward()
    assert bool(samples.grad.isfinite().all())
