"""The trial solution leaves the residuals of its problem, in whatever way they are computed."""

from dataclasses import replace

import numpy as np
import pytest
import sympy
import torch

from ansatz import pde
from ansatz.core.recipe import Position
from ansatz.pde.collocation import collocation
from ansatz.pde.objective import MeanSquares
from ansatz.pde.trial import TrialConfig

x, y, t = pde.coordinates("x y t")
u, v, p = pde.fields("u v p", x, y)
SQUARE = pde.rectangle((0, 0), (1, 1))
CAVITY = pde.Problem(
    (u, v, p),
    {
        "flow": pde.Inside(SQUARE, pde.navier_stokes((u, v), p, 0.1), 40, weight=pde.DISTANCE),
        "lid": pde.On(SQUARE, {u: 1, v: 0}, 10, where=pde.equal(y, 1)),
        "walls": pde.On(SQUARE, {u: 0, v: 0}, 20, where=y < 1),
        "free": pde.On(SQUARE, {"pull": u.diff(x) * pde.NORMAL[0]}, 7),
    },
)
SMALL = pde.Network(width=10, depth=2)


def trial(problem, **options):
    torch.manual_seed(1)
    return TrialConfig(problem, SMALL, **options).build().double()


def batch(problem):
    return collocation(problem)(Position(0, 0), torch.nn.Identity())


def loss(problem, **options):
    model = trial(problem, **options)
    found = MeanSquares()(model, batch(problem), torch.Generator())
    found.total.backward()
    return found, torch.cat([q.grad.ravel() for q in model.network.parameters()])


def test_three_ways_of_derivatives_give_one_loss_and_one_gradient():
    exact, slope = loss(CAVITY, derivatives="autodiff")
    for options, close in (({}, 1e-10), ({"derivatives": "mfd", "mfd_step": 1e-3}, 1e-5)):
        found, other = loss(CAVITY, **options)
        assert list(found.terms) == list(exact.terms)
        torch.testing.assert_close(found.total, exact.total, rtol=close, atol=0)
        torch.testing.assert_close(other, slope, rtol=close, atol=close * float(slope.abs().max()))


def test_residuals_are_weighted_by_the_root_of_their_weights():
    model, points = trial(CAVITY), batch(CAVITY)
    place = points["flow"][:, :2].requires_grad_()
    u_, v_, _ = model.network(place).unbind(1)
    slope_u, slope_v = (torch.autograd.grad(f.sum(), place, create_graph=True)[0] for f in (u_, v_))
    wall = torch.minimum(place, 1 - place).amin(1)
    mass = (slope_u[:, 0] + slope_v[:, 1]) * wall.sqrt()
    torch.testing.assert_close(model(points)["flow: mass"], mass)
    lid = model.network(points["lid"][:, :2])
    torch.testing.assert_close(model(points)["lid: u"], lid[:, 0] - 1)


def test_one_graph_holds_derivatives_equations_and_weights():
    model, points = trial(CAVITY), batch(CAVITY)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    for name, residual in compiled(points).items():
        torch.testing.assert_close(residual, model(points)[name])


def test_a_stream_function_has_no_divergence_whatever_the_network_says():
    (psi,) = pde.fields("psi", x, y)
    a, b = pde.curl(psi)
    problem = replace(CAVITY, definitions={u: a, v: b})
    assert problem.outputs == ("p", "psi")
    residuals = trial(problem)(batch(problem))
    assert float(residuals["flow: mass"].detach().abs().max()) < 1e-12
    assert float(residuals["flow: momentum x"].detach().abs().max()) > 1e-3


def test_a_value_plus_a_distance_times_a_network_holds_exactly_on_the_boundary():
    (raw,) = pde.fields("raw", x, y)
    rim = x * (1 - x) * y * (1 - y)
    problem = pde.Problem(
        (u,),
        {"inside": pde.Inside(SQUARE, pde.poisson(u, 1), 30), "rim": pde.On(SQUARE, {u: x**2}, 30)},
        definitions={u: x**2 + rim * raw},
    )
    residuals = trial(problem)(batch(problem))
    assert float(residuals["rim: u"].detach().abs().max()) < 1e-12
    by_hand = replace(problem, definitions={})
    assert float(trial(by_hand)(batch(by_hand))["rim: u"].detach().abs().max()) > 1e-3
    # The product rule of the definition is that of automatic differentiation.
    nested = trial(problem, derivatives="autodiff")(batch(problem))
    torch.testing.assert_close(residuals["inside: poisson"], nested["inside: poisson"])


def test_a_flow_rate_is_one_residual_for_each_section():
    X = sympy.Symbol("X")
    rate = pde.Integral(pde.line((X, 0), (X, 1)), u * pde.NORMAL[0], 0.3, 1, {X: (0.1, 0.9)}, 5, 16)
    problem = pde.Problem((u,), {"rate": rate, "i": pde.Inside(SQUARE, {u: 0}, 10)})
    found = trial(problem)(batch(problem))
    assert {name: tuple(r.shape) for name, r in found.items()} == {
        "rate: integral": (5,),
        "i: u": (10,),
    }


def test_coefficients_are_trained_and_parameters_are_inputs():
    (f,) = pde.fields("f", x)
    k, a = sympy.symbols("k a")
    problem = pde.Problem(
        (f,),
        {"i": pde.Inside(pde.interval(0, 1), {"r": f.diff(x) - k * a})},
        ranges={a: (1, 2)},
        coefficients={k: 0.5},
    )
    model = trial(problem)
    assert model.network.inputs.weight.shape == (2, 2)
    MeanSquares()(model, batch(problem), torch.Generator()).total.backward()
    place = batch(problem)["i"]
    slope = model.evaluate({"s": f.diff(x)}, {"x": place[:, 0], "a": place[:, 1]})["s"]
    expected = (-2 * (slope - 0.5 * place[:, 1]) * place[:, 1]).mean()
    torch.testing.assert_close(model.coefficients["k"].grad, expected.detach())


def test_causal_weights_hide_what_comes_after_an_error():
    times = torch.linspace(0, 1, 64).double()[torch.randperm(64)]
    squares = torch.where(times < 0.5, 1.0, 7.0).double()
    found = MeanSquares(time=0, causality=100.0, parts=4).causal(squares, times)
    # The first of four parts counts with 1, and the others with e^-100 at most.
    assert float(found) == pytest.approx(0.25)
    calm = MeanSquares(time=0, causality=1.0, parts=4).causal(squares, times)
    weights = np.exp(-np.array([0.0, 1.0, 2.0, 9.0]))
    assert float(calm) == pytest.approx((weights * [1, 1, 7, 7]).mean())
    at_once = MeanSquares(time=0, causality=9.0, parts=4).causal(squares, torch.zeros(64))
    assert float(at_once) == pytest.approx(float(squares.mean()))


def test_points_outside_of_what_is_known_are_named():
    with pytest.raises(LookupError, match="hold nu, which is no coordinate"):
        trial(CAVITY).evaluate(
            {"r": u * sympy.Symbol("nu")}, {"x": torch.rand(3), "y": torch.rand(3)}
        )
