"""Problems with exact solutions are solved to a few digits within seconds."""

from dataclasses import replace

import numpy as np
import pytest
import sympy

from ansatz import pde
from ansatz.pde import exact

x, y, t = pde.coordinates("x y t")
TINY = pde.Network(width=12, depth=2)


def budget(steps):
    return replace(pde.QUASI_NEWTON, steps=steps)


def test_poisson_in_the_plane():
    (f,) = pde.fields("f", x, y)
    solution, force = exact.poisson((x, y), (1, 1))
    square = pde.rectangle((0, 0), (1, 1))
    problem = pde.Problem(
        (f,),
        {
            "inside": pde.Inside(square, pde.poisson(f, -force), 300),
            "rim": pde.On(square, {f: 0}, 100, weight=100),
        },
    )
    found = pde.solve(problem, network=TINY, train=budget(250))
    truth = pde.exactly("f", {f: solution}, {x: (0.0, 1.0, 21), y: (0.0, 1.0, 21)}, "", {})
    relative, largest = found.errors(truth)["f"]
    assert relative < 1e-3
    assert largest < 1e-2
    # The slope of the solution is as good as the solution.
    slope = found.evaluate({"s": f.diff(x)}, {"x": 0.0, "y": np.linspace(0, 1, 11)})["s"]
    np.testing.assert_allclose(slope, np.pi * np.sin(np.pi * np.linspace(0, 1, 11)), atol=0.05)


def test_heat_that_decays_from_an_initial_condition_that_holds_exactly():
    (f, raw) = pde.fields("f raw", x, t)
    rod, kappa = pde.interval(0, 1), sympy.Rational(1, 10)
    problem = pde.Problem(
        (f,),
        {"inside": pde.Inside(rod, pde.heat(f, kappa), 300)},
        ranges={t: (0, 1)},
        definitions={f: sympy.sin(sympy.pi * x) + t * x * (1 - x) * raw},
    )
    found = pde.solve(problem, network=TINY, train=budget(200))
    known = {f: exact.heat((x,), t, (1,), kappa)}
    truth = pde.exactly("f", known, {x: (0.0, 1.0, 21), t: (0.0, 1.0, 21)}, "", {})
    assert found.errors(truth)["f"][0] < 1e-3


def test_a_diffusivity_is_found_from_noisy_measurements():
    (f,) = pde.fields("f", x, t)
    kappa = sympy.Symbol("kappa")
    rng = np.random.default_rng(0)
    place = {x: rng.random(200), t: rng.random(200)}
    clean = np.sin(np.pi * place[x]) * np.exp(-0.3 * np.pi**2 * place[t])
    problem = pde.Problem(
        (f,),
        {
            "inside": pde.Inside(pde.interval(0, 1), pde.heat(f, kappa), 300),
            "probes": pde.Measured(place, {f: clean + 0.01 * rng.standard_normal(200)}, 200),
        },
        ranges={t: (0, 1)},
        coefficients={kappa: 1.0},
    )
    found = pde.solve(problem, network=TINY, train=budget(300))
    assert abs(found.coefficients["kappa"] / 0.3 - 1) < 0.03


def test_one_solution_for_a_range_of_a_parameter():
    (f,) = pde.fields("f", x)
    rate = sympy.Symbol("rate")
    problem = pde.Problem(
        (f,),
        {
            "inside": pde.Inside(pde.interval(0, 1), {"decay": f.diff(x) + rate * f}, 300),
            "start": pde.On(pde.interval(0, 1), {f: 1}, 30, where=pde.equal(x, 0), weight=10),
        },
        ranges={rate: (1, 3)},
    )
    found = pde.solve(problem, network=TINY, train=budget(250))
    places = np.linspace(0, 1, 21)
    for value in (1.3, 2.0, 2.9):
        values = found.evaluate({"f": f}, {"x": places, "rate": value})["f"]
        np.testing.assert_allclose(values, np.exp(-value * places), atol=5e-3)


def test_a_body_whose_size_is_a_parameter():
    # Laplace's equation outside of a circle of radius R, inside one of radius 1.
    (f,) = pde.fields("f", x, y)
    R = sympy.Symbol("R")
    ring = pde.circle((0, 0), radius=1) - pde.circle((0, 0), radius=R)
    problem = pde.Problem(
        (f,),
        {
            "inside": pde.Inside(ring, pde.poisson(f, 0), 400),
            "outer": pde.On(ring, {f: 0}, 60, where=x**2 + y**2 > 0.7, weight=10),
            "inner": pde.On(ring, {f: 1}, 60, where=x**2 + y**2 < 0.7, weight=10),
        },
        ranges={R: (0.3, 0.6)},
    )
    found = pde.solve(problem, network=TINY, train=budget(400))
    for size in (0.35, 0.5):
        r = np.linspace(size, 1, 15)
        values = found.evaluate({"f": f}, {"x": 0.6 * r, "y": 0.8 * r, "R": size})["f"]
        np.testing.assert_allclose(values, np.log(r) / np.log(size), atol=0.02)


def test_time_ends_a_solution_before_its_steps():
    (f,) = pde.fields("f", x)
    problem = pde.Problem((f,), {"i": pde.Inside(pde.interval(0, 1), {f: x}, 50)})
    found = pde.solve(problem, network=TINY, train=budget(100_000), seconds=0.5)
    assert 0 < found.steps < 100_000


def test_causal_weights_and_line_searches_do_not_go_together():
    (f,) = pde.fields("f", x, t)
    problem = pde.Problem(
        (f,), {"i": pde.Inside(pde.interval(0, 1), {f: x}, 50)}, ranges={t: (0, 1)}
    )
    causal = pde.MeanSquares(time=1, causality=1.0)
    with pytest.raises(ValueError, match="a line search of ssbroyden fails on that"):
        pde.solve(problem, objective=causal)
    brief = replace(pde.FIRST_ORDER, steps=40, learning_rate=1e-2)
    found = pde.solve(problem, network=TINY, train=brief, objective=causal)
    assert found.loss < 0.1


def test_training_goes_on_from_another_solution():
    (f,) = pde.fields("f", x)
    start = pde.On(pde.interval(0, 1), {f: 1}, 20, where=pde.equal(x, 0))
    inside = pde.Inside(pde.interval(0, 1), {"decay": f.diff(x) + f}, 100)
    problem = pde.Problem((f,), {"inside": inside, "start": start})
    first = pde.solve(problem, network=TINY, train=budget(60))
    fresh = pde.solve(problem, network=TINY, train=budget(1))
    more = pde.solve(problem, network=TINY, train=budget(1), begin=first.trial)
    # The same points, and a step that makes nothing worse.
    assert more.loss <= 1.01 * first.loss
    assert fresh.loss > 100 * first.loss
    with pytest.raises(ValueError, match=r"`begin` has another network, .*width="):
        pde.solve(problem, train=budget(1), begin=first.trial)
