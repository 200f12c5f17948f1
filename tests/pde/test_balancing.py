"""Terms of a loss are sized by their gradients or tangent kernels, and weigh alike afterwards."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import functional_call, jacrev

from ansatz import pde
from ansatz.core.recipe import Position
from ansatz.pde import exact
from ansatz.pde.balancing import LARGEST, factors, gradient_norms, kernel_traces
from ansatz.pde.collocation import collocation
from ansatz.pde.trial import TrialConfig

x, y = pde.coordinates("x y")
(f,) = pde.fields("f", x, y)
SQUARE = pde.rectangle((0, 0), (1, 1))
SOLUTION, FORCE = exact.poisson((x, y), (1, 1))


def plate(points=30, weight=1.0):
    return pde.Problem(
        (f,),
        {
            "inside": pde.Inside(SQUARE, pde.poisson(f, -FORCE), 5 * points),
            "rim": pde.On(SQUARE, {f: 0, "slope": f.diff(x) - 1}, points, weight=weight),
        },
    )


def trial(problem):
    torch.manual_seed(0)
    return TrialConfig(problem, pde.Network(width=5, depth=2)).build().double()


def jacobian(network, points):
    """The derivatives of the values at points, and of their slopes along x, by all parameters."""
    parameters = dict(network.named_parameters())

    def value(p, point):
        return functional_call(network, p, (point[None],))[0, 0]

    def slope(p, point):
        return jacrev(value, argnums=1)(p, point)[0]

    def rows(function):
        parts = [jacrev(function)(parameters, point) for point in points]
        return torch.stack([torch.cat([d.flatten() for d in part.values()]) for part in parts])

    values = network(points)[:, 0].detach()
    slopes = torch.stack([slope(parameters, point) for point in points]).detach()
    return (values, rows(value)), (slopes - 1, rows(slope))


def test_norms_of_gradients_and_traces_of_kernels_are_those_of_the_jacobian():
    problem = plate(points=8, weight=9)
    model = trial(problem)
    batch = collocation(problem)(Position(0, 0), model)
    norms = gradient_norms(model, batch)
    traces = kernel_traces(model, batch, np.random.default_rng(0), probes=400)
    found = jacobian(model.network, batch["rim"][:, :2])
    for name, (residual, rows) in zip(("rim: f", "rim: slope"), found, strict=True):
        gradient = 2 * 9 * (residual @ rows) / 8
        assert norms[name] == pytest.approx(gradient.norm().item(), rel=1e-9)
        # The deviation of one probe is at most √2 of the mean: four of those of 400 are 0.28.
        assert traces[name] == pytest.approx(9 * rows.square().sum().item() / 8, rel=0.28)


def test_the_kernel_of_one_point_needs_one_probe():
    problem = plate(points=1)
    model = trial(problem)
    batch = collocation(problem)(Position(0, 0), model)
    (_, rows), _ = jacobian(model.network, batch["rim"][:, :2])
    traces = kernel_traces(model, batch, np.random.default_rng(0), probes=1)
    assert traces["rim: f"] == pytest.approx(rows.square().sum().item(), rel=1e-9)


@pytest.mark.parametrize("weight", [1.0, 1e-3, 1e3])
def test_balanced_terms_have_gradients_of_one_length(weight):
    problem = plate(weight=weight)
    model = trial(problem)
    even = gradient_norms(model, collocation(problem)(Position(0, 0), model))
    how = pde.Sampling(balance="gradients")
    norms = gradient_norms(model, collocation(problem, sampling=how)(Position(0, 0), model))
    assert max(even.values()) > 3 * min(even.values())
    assert list(norms.values()) == pytest.approx([sum(even.values()) / 3] * 3, rel=1e-9)


def test_kernels_weigh_by_the_sizes_of_their_traces():
    problem = plate()
    model = trial(problem)
    even, found = (
        collocation(problem, sampling=pde.Sampling(balance=name))(Position(0, 0), model)
        for name in ("none", "ntk")
    )
    traces = kernel_traces(model, even, np.random.default_rng(0), probes=100)
    ratio = (found["rim"][0, 2] / found["inside"][0, 2]) ** 2
    assert ratio.item() == pytest.approx(traces["inside: poisson"] / traces["rim: f"], rel=0.9)


def test_a_term_without_a_gradient_keeps_its_weight_and_none_grows_without_bounds():
    assert factors({"a": 3.0, "b": 1.0, "c": 0.0}) == {"a": 2 / 3, "b": 2.0, "c": 1.0}
    assert factors({"a": 1.0, "b": 1e-12})["b"] == LARGEST
    assert factors({"a": 0.0}) == {"a": 1.0}


def test_a_condition_that_was_given_no_weight_is_fulfilled_all_the_same():
    problem = pde.Problem(
        (f,),
        {
            "inside": pde.Inside(SQUARE, pde.poisson(f, -FORCE), 100),
            "rim": pde.On(SQUARE, {f: 0}, 60, weight=1e-4),
        },
    )
    brief = replace(
        pde.FIRST_ORDER, optimizer="adamw", steps=200, learning_rate=1e-2, warmup_steps=20
    )
    truth = pde.exactly("f", {f: SOLUTION}, {x: (0.0, 1.0, 21), y: (0.0, 1.0, 21)}, "", {})

    def error(balance):
        found = pde.solve(
            problem,
            network=pde.Network(width=12, depth=2),
            train=brief,
            sampling=pde.Sampling(balance=balance, balance_every=50),
        )
        return found.errors(truth)["f"][0]

    assert error("gradients") < 0.5 * error("none")
