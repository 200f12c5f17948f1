"""Points are chosen by what a network gets wrong; a resumed run chooses as the whole one did."""

from dataclasses import replace

import numpy as np
import pytest
import sympy
import torch

from ansatz import pde
from ansatz.core.overrides import override
from ansatz.core.recipe import Position
from ansatz.pde import sampling
from ansatz.pde.collocation import collocation
from ansatz.pde.dataset import Collocation
from ansatz.pde.objective import MeanSquares
from ansatz.pde.sampling import choose, density, residuals_at
from ansatz.pde.trial import TrialConfig
from ansatz.trainer.loop import fit

x, y = pde.coordinates("x y")
(u,) = pde.fields("u", x)
(f,) = pde.fields("f", x, y)
LINE, SQUARE = pde.interval(0, 1), pde.rectangle((0, 0), (1, 1))
TINY = pde.Network(width=6, depth=1)
CHOSEN = pde.Sampling(renew=5, pool=4, balance="gradients", balance_every=5)
PLATE = pde.Problem(
    (f,),
    {
        "inside": pde.Inside(SQUARE, pde.poisson(f, sympy.exp(3 * x)), 40),
        "rim": pde.On(SQUARE, {f: 0}, 20, weight=0.01),
    },
)
TRAIN = replace(pde.QUASI_NEWTON, steps=20, log_every=20, save_every=0)


def trial(problem, derivatives="taylor"):
    torch.manual_seed(1)
    return TrialConfig(problem, TINY, derivatives).build().double()


def zero(problem):
    """A trial solution that is zero everywhere."""
    model = trial(problem)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    return model


def test_the_density_is_that_of_the_paper_averaged_over_residuals():
    one, other = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([0.0, 5e6, 0.0])
    expected = np.array([1, 4, 9]) / (14 / 3) + 0.5
    np.testing.assert_allclose(density([one], 2, 0.5), expected)
    both = (expected + np.array([0.5, 3.5, 0.5])) / 2
    np.testing.assert_allclose(density([one, other], 2, 0.5), both)


def test_a_residual_without_power_with_a_high_floor_or_of_zeros_is_even():
    residual = torch.tensor([1.0, 20.0, 300.0])
    for found in (
        density([residual], 0, 0),
        density([residual], 1, 1e12),
        density([torch.zeros(3)], 1, 0),
    ):
        np.testing.assert_allclose(found / found[0], 1, rtol=1e-9)


def test_two_of_four_are_chosen_as_often_as_draws_without_replacement_have_it():
    p = np.array([0.1, 0.2, 0.3, 0.4])
    first_then = np.outer(p / (1 - p), p)
    np.fill_diagonal(first_then, 0)
    expected = p + first_then.sum(0)
    rng, number = np.random.default_rng(0), 20_000
    counts = np.zeros(4)
    for _ in range(number):
        counts[choose(7 * p, 2, rng)] += 1
    deviation = np.sqrt(expected * (1 - expected) / number)
    assert (np.abs(counts / number - expected) < 4 * deviation).all()


def test_what_weighs_nothing_is_chosen_last():
    weights = np.array([0.0, 1.0, 0.0, 1.0])
    rng = np.random.default_rng(0)
    assert choose(weights, 2, rng).tolist() == [1, 3]
    assert len(choose(weights, 3, rng)) == 3


@pytest.mark.parametrize(
    ("floor", "cumulative"), [(0.0, lambda s: s**3), (1e9, lambda s: s)], ids=["power", "floor"]
)
def test_points_follow_a_power_of_the_residual(floor, cumulative):
    problem = pde.Problem((u,), {"c": pde.Inside(LINE, {"r": u - x}, 2000)})
    batches = collocation(problem, sampling=pde.Sampling(pool=50, power=2.0, floor=floor))
    found = np.sort(batches(Position(0, 0), zero(problem))["c"][:, 0].numpy())
    assert np.abs(cumulative(found) - (np.arange(2000) + 0.5) / 2000).max() < 0.04


def test_points_gather_where_a_solution_is_steep():
    steep = sympy.tanh(50 * (x - sympy.Rational(1, 3)))
    problem = pde.Problem((u,), {"c": pde.Inside(LINE, {u.diff(x): steep.diff(x)}, 500)})

    def near(pool):
        batches = collocation(problem, sampling=pde.Sampling(pool=pool))
        places = batches(Position(0, 0), zero(problem))["c"][:, 0]
        return ((places - 1 / 3).abs() < 0.05).double().mean().item()

    assert near(1) == pytest.approx(0.1, abs=0.01)
    assert near(10) > 0.3


def test_measurements_and_integrals_stay_what_they_are():
    place = {x: np.linspace(0, 1, 30), y: np.linspace(0, 1, 30)}
    section = pde.line((0.5, 0), (0.5, 1))
    problem = pde.Problem(
        (f,),
        {
            "probes": pde.Measured(place, {f: place[x]}, 7),
            "rate": pde.Integral(section, f, equals=1, area=1, sections=2, per_residual=16),
            "inside": pde.Inside(SQUARE, {f: x}, 30),
        },
    )
    model = trial(problem)
    even, chosen = (
        collocation(problem, sampling=pde.Sampling(pool=pool))(Position(0, 0), model)
        for pool in (1, 8)
    )
    assert torch.equal(even["probes"], chosen["probes"])
    assert torch.equal(even["rate"], chosen["rate"])
    assert even["inside"].shape == chosen["inside"].shape
    assert not torch.equal(even["inside"], chosen["inside"])


@pytest.mark.parametrize("way", ["taylor", "autodiff"])
def test_candidates_in_chunks_have_the_residuals_of_all_together(way, monkeypatch):
    model = trial(PLATE, way)
    batch = collocation(PLATE)(Position(0, 0), model)
    expected = model(batch)
    monkeypatch.setattr(sampling, "CHUNK", 16)
    found = residuals_at(model, {**batch, "rim": batch["rim"][:0]})
    torch.testing.assert_close(found["inside"][0], expected["inside: poisson"].detach())
    assert found["rim"][0].shape == (0,)


@pytest.mark.parametrize("balance", ["gradients", "ntk"])
def test_two_processes_choose_and_weigh_as_one_with_twice_the_batch(balance):
    model, how = trial(PLATE), replace(CHOSEN, balance=balance)
    one = collocation(PLATE, 2, how)(Position(7, 3), model)
    two = [collocation(PLATE, 1, how)(Position(7, 3, rank=r, ranks=2), model) for r in (0, 1)]
    for name, points in one.items():
        assert torch.equal(points, torch.cat([batch[name] for batch in two]))


def test_what_was_chosen_stays_though_the_network_changes():
    model, batches = trial(PLATE), collocation(PLATE, sampling=CHOSEN)
    first = batches(Position(0, 0), model)
    with torch.no_grad():
        model.network.last.weight.mul_(-3)
    assert batches(Position(0, 4), model) is first
    later = batches(Position(0, 5), model)
    assert not torch.equal(later["rim"], first["rim"])


def test_points_outlast_the_factors_of_their_weights():
    how = replace(CHOSEN, renew=10)
    model, batches = trial(PLATE), collocation(PLATE, sampling=how)
    first = batches(Position(0, 0), model)
    with torch.no_grad():
        model.network.last.weight.mul_(-3)
    later = batches(Position(0, 5), model)
    assert later is not first
    assert torch.equal(first["rim"][:, :2], later["rim"][:, :2])
    assert not torch.equal(first["rim"][:, 2], later["rim"][:, 2])


def trained(folder=None, until=None):
    torch.manual_seed(3)
    model = TrialConfig(PLATE, TINY).build()
    batches, evaluations = collocation(PLATE, 1, CHOSEN), []
    for step in fit(model, MeanSquares(), batches, TRAIN, folder=folder):
        evaluations.append(float(step.losses.terms["evaluations"]))
        if step.number == until:
            step.save()
            break
    return [p.detach().clone() for p in model.parameters()], evaluations


def test_a_run_resumed_where_points_are_chosen_repeats_the_whole_one_bit_by_bit(tmp_path):
    whole, _ = trained()
    trained(tmp_path, until=10)
    resumed, evaluations = trained(tmp_path)
    assert len(evaluations) == 10
    for a, b in zip(whole, resumed, strict=True):
        assert torch.equal(a, b)


def test_a_run_resumed_in_between_knows_that_its_points_are_others(tmp_path):
    # The loss that the search remembers is that of points which nobody has any more.
    trained(tmp_path, until=7)
    _, evaluations = trained(tmp_path)
    assert len(evaluations) == 13
    assert evaluations[0] >= 2


def test_points_that_stay_for_ever_are_not_chosen():
    with pytest.raises(ValueError, match="learned nothing yet: take pool=1 instead of 4"):
        pde.Sampling(renew=0, pool=4)


def test_how_points_are_sampled_can_be_typed():
    data = Collocation(PLATE, list)
    found = override(data, {"pool": "4", "sampling.balance": "ntk", "renew": "none"}).sampling
    assert found == pde.Sampling(pool=4, balance="ntk")
    with pytest.raises(ValueError, match="'none', 'gradients' or 'ntk'"):
        override(data, {"balance": "gradient"})


def test_points_stay_as_long_as_an_optimizer_needs():
    assert pde.Sampling().suited("ssbroyden").renew == 500
    assert pde.Sampling().suited("soap").renew == 1
    assert pde.Sampling(renew=7).suited("ssbroyden").renew == 7
