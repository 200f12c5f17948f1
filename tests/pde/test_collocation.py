"""Conditions draw points, and batches hold them with what the equations know of each."""

import numpy as np
import pytest
import sympy
import torch

from ansatz import pde
from ansatz.core.recipe import Position
from ansatz.pde.collocation import collocation, layout

x, y, t = pde.coordinates("x y t")
u, v, p = pde.fields("u v p", x, y)
NOBODY = torch.nn.Identity()  # even points ask no network
SQUARE = pde.rectangle((0, 0), (1, 1))


def drawn(problem, name="c", count=256):
    return problem.draw(name, count, np.random.default_rng(0))


def test_points_of_a_boundary_come_with_outward_normals():
    disk = pde.circle((1, 2), radius=0.5)
    problem = pde.Problem((u,), {"c": pde.On(disk, {u: 0}), "i": pde.Inside(disk, {u: 0})})
    found = drawn(problem)
    np.testing.assert_allclose(found["x"], 1 + 0.5 * found["normal_x"], atol=1e-12)
    np.testing.assert_allclose(found["y"], 2 + 0.5 * found["normal_y"], atol=1e-12)
    inside = drawn(problem, "i")
    radius = np.hypot(inside["x"] - 1, inside["y"] - 2)
    np.testing.assert_allclose(inside["distance"], 0.5 - radius, atol=1e-12)


def test_times_and_parameters_fill_their_ranges_evenly():
    (f,) = pde.fields("f", x, t)
    nu = sympy.Symbol("nu")
    line = pde.interval(0, 1)
    problem = pde.Problem(
        (f,),
        {"c": pde.Inside(line, {f: nu}), "start": pde.Inside(line, {f: 0}, at={t: 0.5})},
        ranges={t: (0, 2), nu: (3, 5)},
    )
    assert problem.inputs == ("x", "t", "nu")
    found = drawn(problem)
    for name, low in (("t", 0), ("nu", 3)):
        # One in each of 256 equal parts: sorted, none is further than a part from its place.
        even = low + 2 * (np.arange(256) + 0.5) / 256
        assert np.abs(np.sort(found[name]) - even).max() < 1 / 256
    assert abs(np.corrcoef(found["t"], found["nu"])[0, 1]) < 0.2
    assert set(drawn(problem, "start")["t"]) == {0.5}


def test_two_processes_see_the_points_of_one_with_twice_the_batch():
    problem = pde.Problem(
        (u,), {"a": pde.Inside(SQUARE, {u: 0}, 32), "b": pde.On(SQUARE, {u: 1}, 8)}
    )
    one = collocation(problem, shares=2)(Position(7, 3), NOBODY)
    two = [collocation(problem)(Position(7, 3, rank=rank, ranks=2), NOBODY) for rank in (0, 1)]
    for name, points in one.items():
        assert torch.equal(points, torch.cat([batch[name] for batch in two]))
    assert not torch.equal(two[0]["a"], two[1]["a"])


def test_points_stay_until_they_are_renewed():
    problem = pde.Problem((u,), {"a": pde.Inside(SQUARE, {u: 0}, 32)})
    points = collocation(problem, sampling=pde.Sampling(renew=10))
    first = points(Position(0, 0), NOBODY)
    assert points(Position(0, 9), NOBODY) is first
    assert not torch.equal(points(Position(0, 10), NOBODY)["a"], first["a"])
    assert torch.equal(points(Position(0, 3), NOBODY)["a"], first["a"])
    forever = collocation(problem, sampling=pde.Sampling(renew=0))
    assert forever(Position(0, 0), NOBODY) is forever(Position(0, 10_000), NOBODY)


def test_weights_are_functions_of_place_and_distance_for_each_residual():
    condition = pde.Inside(
        SQUARE, {"one": u - x, "two": u - y}, 64, weight={"one": pde.DISTANCE, "two": 4 * x**2}
    )
    problem = pde.Problem((u,), {"c": condition})
    table = collocation(problem)(Position(0, 0), NOBODY)["c"]
    assert layout(problem, "c").names == ("x", "y")
    place, one, two = table[:, :2], table[:, 2], table[:, 3]
    walls = torch.minimum(place, 1 - place).amin(1)
    torch.testing.assert_close(one**2, walls)
    torch.testing.assert_close(two, 2 * place[:, 0])


def test_measurements_are_drawn_as_they_are():
    place = {x: np.arange(5.0), y: np.arange(5.0) ** 2}
    problem = pde.Problem(
        (u,),
        {"c": pde.Measured(place, {u: np.arange(5.0) * 10}, 5), "i": pde.Inside(SQUARE, {u: 0})},
    )
    found = drawn(problem, count=5)
    np.testing.assert_array_equal(found["measured0"], 10 * found["x"])
    some = drawn(problem, count=3)
    assert len(set(some["x"])) == 3


def test_a_flow_rate_is_the_integral_of_the_velocity():
    # Between plates of height 2, u = 3/4 y (2 - y) has the flow rate 1 through every section.
    X = sympy.Symbol("X")
    section = pde.line((X, 0), (X, 2))
    rate = pde.Integral(
        section, u, equals=1, area=2, ranges={X: (0.2, 0.8)}, sections=3, per_residual=64
    )
    channel = pde.rectangle((0, 0), (1, 2))
    problem = pde.Problem((u,), {"c": rate, "i": pde.Inside(channel, {u: 0})})
    found = drawn(problem, count=rate.points)
    xs = found["x"].reshape(3, 64)
    assert len({row[0] for row in xs.round(12)}) == 3
    assert (np.ptp(xs, axis=1) < 1e-12).all()
    speed = 0.75 * found["y"] * (2 - found["y"])
    means = (rate.area * speed * found["inside"]).reshape(3, 64).mean(1)
    np.testing.assert_allclose(means, 1, atol=2e-3)


def test_an_integral_leaves_out_what_is_not_in_the_fluid():
    fluid = pde.rectangle((0, 0), (1, 1)) - pde.circle((0.5, 0.5), radius=0.25)
    section = pde.line((0.5, 0), (0.5, 1))
    rate = pde.Integral(section, u, equals=0, area=1, sections=1, per_residual=512, within=fluid)
    problem = pde.Problem((u,), {"c": rate, "i": pde.Inside(fluid, {u: 0})})
    found = drawn(problem, count=512)
    assert found["inside"].mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pde.Problem((), {}), "needs fields"),
        (lambda: pde.Problem((u, *pde.fields("q", x)), {"c": 1}), "same coordinates"),
        (
            lambda: pde.Problem((u,), {"c": pde.Inside(SQUARE, {u: 0})}, ranges={t: (1, 1)}),
            "range of t must not be empty",
        ),
        (
            lambda: pde.Problem(
                pde.fields("u", x, t), {"c": pde.Inside(pde.interval(0, 1), {"r": 0})}
            ),
            "t is a coordinate without a range",
        ),
        (
            lambda: pde.Problem((u, v), {"c": 1}, definitions={u: v.diff(x), v: x * u}),
            r"the definition of u\(x, y\) holds v",
        ),
        (lambda: pde.Problem((u,), {"c": 1}, periodic=(t,)), "t is periodic, or has waves"),
        (lambda: pde.Problem((u,), {"a: b": 1}), "has a colon and a space in its name"),
        (lambda: pde.Measured({x: np.zeros(3)}, {u: np.zeros(4)}), "arrays of one length"),
        (lambda: pde.Measured({x: np.zeros(1)}, {u: np.array([np.nan])}), "not finite"),
    ],
)
def test_what_is_no_problem_is_refused_with_the_reason(make, message):
    with pytest.raises((ValueError, LookupError), match=message):
        make()


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (pde.Inside(SQUARE, {"r": u - sympy.Symbol("kappa")}), "hold kappa, which is no input"),
        (pde.Inside(SQUARE, {"r": u - pde.NORMAL[0]}), "normal_x, which is no input"),
        (pde.Inside(SQUARE, {"r": pde.fields("U", x, y)[0]}), "unknown field 'U'; there are: u"),
        (pde.Inside(SQUARE, {u: 0}, weight=x - 0.5), "weight of u must be finite and not negative"),
        (pde.Inside(SQUARE, {u.diff(x): 0, "u_x": u.diff(x)}), "both called 'u_x'"),
    ],
)
def test_what_an_equation_lacks_is_named(condition, message):
    problem = pde.Problem((u,), {"c": condition})
    with pytest.raises((ValueError, LookupError), match=message):
        collocation(problem)(Position(0, 0), NOBODY)


def test_a_weight_of_what_no_point_has_is_named():
    problem = pde.Problem((u,), {"c": pde.On(SQUARE, {u: 0}, weight=pde.DISTANCE)})
    with pytest.raises(LookupError, match="the weight of u holds distance, which is not known"):
        collocation(problem)(Position(0, 0), NOBODY)
