"""Optimizers that evaluate as often as they need, and float64, through the trainer's own loop."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from sine import CPU, network, objective, samples

from ansatz.core.recipe import TrainConfig
from ansatz.trainer.loop import fit, run

SEARCH = TrainConfig(
    steps=30, optimizer="ssbroyden", precision="fp64", warmup_steps=0, clip_norm=0.0, save_every=10
)


def points(renew):
    """All samples, or every other one: the same tensors for `renew` steps."""
    every = samples()
    halves = [{n: t[start::2] for n, t in every.items()} for start in (0, 1)]
    return lambda position, model: halves[position.step // renew % 2]


def trained(config, renew=1000, folder=None):
    model = network()
    losses = [step.loss() for step in fit(model, objective, points(renew), config, folder=folder)]
    return model, losses


def test_float64_is_that_of_weights_gradients_and_inputs():
    model, losses = trained(replace(SEARCH, optimizer="adamw", steps=2))
    assert {p.dtype for p in model.parameters()} == {torch.float64}
    assert {p.grad.dtype for p in model.parameters()} == {torch.float64}
    assert losses[1] < losses[0]


def test_a_quasi_newton_method_fits_what_adam_does_not():
    _, searched = trained(replace(SEARCH, steps=150))
    _, adam = trained(replace(SEARCH, steps=150, optimizer="adamw", learning_rate=1e-2))
    assert searched[-1] < 1e-3 * adam[-1]
    assert all(b <= a for a, b in pairwise(searched))


def test_known_points_cost_one_evaluation_less():
    def evaluations(renew):
        steps = fit(network(), objective, points(renew), replace(SEARCH, steps=12))
        return [float(step.losses.terms["evaluations"]) for step in steps]

    assert sum(evaluations(1)) >= sum(evaluations(1000)) + 5


@pytest.mark.parametrize("renew", [1000, 7])
def test_a_resumed_search_repeats_the_uninterrupted_one_bit_by_bit(tmp_path, renew):
    whole, _ = trained(SEARCH, renew)
    for step in fit(network(), objective, points(renew), SEARCH, folder=tmp_path):
        if step.number == 12:
            step.save()
            break
    resumed, _ = trained(SEARCH, renew, tmp_path)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_soap_runs_through_the_same_loop(tmp_path):
    config = TrainConfig(steps=200, optimizer="soap", learning_rate=1e-2, warmup_steps=10)
    outcome = run(network(), objective, points(1), config, folder=tmp_path, device=CPU)
    _, adam = trained(replace(config, optimizer="adamw"), 1)
    model = network()
    losses = [step.loss() for step in fit(model, objective, points(1), config)]
    assert outcome.weights is not None
    assert min(losses[-10:]) < min(adam[-10:])


def test_a_network_that_is_too_large_for_a_dense_matrix_is_refused():
    with pytest.raises(ValueError, match=r"at most 8,000 parameters\. Take soap"):
        next(iter(fit(network(width=4000), objective, points(1), SEARCH)))
