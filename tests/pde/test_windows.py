"""Windows of time: each begins where the one before ends, and long times are solved by parts."""

from dataclasses import replace

import numpy as np
import pytest
import sympy
import torch

from ansatz import pde
from ansatz.pde import exact
from ansatz.pde.trial import TrialConfig
from ansatz.pde.window import window_of
from ansatz.pde.windows import solve_in_windows

x, t = pde.coordinates("x t")
(u,) = pde.fields("u", x, t)
ROD = pde.interval(0, 1)
TINY = pde.Network(width=12, depth=2)
START = pde.Inside(ROD, {u: sympy.sin(sympy.pi * x)}, 60, weight=10, at={t: 0})
ENDS = pde.On(ROD, {u: 0}, 60, weight=10)


def budget(steps):
    return replace(pde.QUASI_NEWTON, steps=steps)


def rod(**more):
    """A rod that cools."""
    inside = pde.Inside(ROD, pde.heat(u, sympy.Rational(1, 10)), 300)
    conditions = {"inside": inside, "ends": ENDS, "start": START}
    return pde.Problem((u,), conditions | more, ranges={t: (0, 2)})


def known(expression, ranges):
    """A trial solution whose field is an expression: its network is multiplied by zero."""
    raw = sympy.Function("raw", real=True)(x, t)
    conditions = {"any": pde.Inside(ROD, {u: 0}, 10)}
    definitions = {u: expression + sympy.Float(0.0) * raw}
    problem = pde.Problem((u,), conditions, ranges, definitions=definitions)
    return TrialConfig(problem, TINY).build().double()


def drawn(problem, name, seed=3):
    return problem.draw(name, problem.conditions[name].points, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def cooled():
    return solve_in_windows(rod(), t, 2, network=TINY, train=budget(120))


def test_a_rod_cools_as_it_is_known_to_in_all_windows(cooled):
    solution = {u: exact.heat((x,), t, (1,), sympy.Rational(1, 10))}
    truth = pde.exactly("u", solution, {x: (0.0, 1.0, 21), t: (0.0, 2.0, 21)}, "", {})
    relative, largest = cooled.errors(truth)["u"]
    assert relative < 3e-3
    assert largest < 1e-2
    assert cooled.edges == (0.0, 1.0, 2.0)
    assert cooled.steps == 240


def test_a_window_begins_where_the_one_before_ends(cooled):
    place = {"x": np.linspace(0, 1, 31), "t": 1.0}
    ends, begins = (part.evaluate({"u": u}, place)["u"] for part in cooled.parts)
    np.testing.assert_allclose(begins, ends, atol=3e-3)
    # Two networks all the same.
    assert np.abs(begins - ends).max() > 0


def test_each_time_is_answered_by_its_window_and_edges_by_the_earlier(cooled):
    times = np.array([[0.0, 1.0, 0.3], [2.0, 1.5, 1.0 + 1e-9]])
    found = cooled.evaluate({"u": u, "rate": u.diff(t)}, {"x": 0.4, "t": times})
    for row, column in np.ndindex(times.shape):
        part = cooled.parts[int(times[row, column] > 1)]
        alone = part.evaluate({"u": u, "rate": u.diff(t)}, {"x": 0.4, "t": times[row, column]})
        assert found["u"][row, column] == pytest.approx(alone["u"].item(), rel=1e-12)
        assert found["rate"][row, column] == pytest.approx(alone["rate"].item(), rel=1e-12)


@pytest.mark.slow
def test_windows_follow_a_wave_that_one_network_loses_at_the_same_cost():
    # Measured: an error of 0.20 in four windows of 100 steps, and of 0.90 after 400 steps at once.
    def profile(at):
        return sympy.sin(sympy.pi * at) + sympy.cos(2 * sympy.pi * at) / 2

    ring = pde.interval(-1, 1)
    problem = pde.Problem(
        (u,),
        {
            "inside": pde.Inside(ring, {"transport": u.diff(t) + u.diff(x)}, 600),
            "start": pde.Inside(ring, {u: profile(x)}, 100, weight=100, at={t: 0}),
        },
        ranges={t: (0, 4)},
        periodic=(x,),
    )
    ends = {x: (-1.0, 1.0, 41), t: (0.0, 4.0, 41)}
    truth = pde.exactly("u", {u: profile(x - t)}, ends, "", {})
    windows = solve_in_windows(problem, t, 4, network=TINY, train=budget(100))
    at_once = pde.solve(problem, network=TINY, train=budget(400))
    assert windows.steps == at_once.steps
    assert windows.errors(truth)["u"][0] < 0.5 * at_once.errors(truth)["u"][0]


@pytest.mark.parametrize("time", [-0.1, 2.1, np.nan])
def test_times_outside_of_all_windows_are_refused(cooled, time):
    with pytest.raises(ValueError, match="and the solution from 0 to 2"):
        cooled.evaluate({"u": u}, {"x": 0.5, "t": [1.0, time]})


def test_the_wave_equation_goes_on_with_its_value_and_its_rate():
    # What is carried into the second window of an exact solution leaves no residual there.
    wave = exact.standing_wave((x,), t, (1,), 1)
    start = pde.Inside(ROD, {u: wave.subs(t, 0), u.diff(t): 0}, 40, at={t: 0})
    problem = pde.Problem(
        (u,), {"inside": pde.Inside(ROD, pde.wave(u, 1)), "start": start}, ranges={t: (0, 1)}
    )
    later = window_of(problem, t, (0.3, 0.6), known(wave, {t: (0, 0.3)}))
    columns = {name: torch.from_numpy(a) for name, a in drawn(later, "start").items()}
    assert set(columns["t"].tolist()) == {0.3}
    left = known(wave, {t: (0.3, 0.6)}).evaluate(later.conditions["start"].residuals, columns)
    assert list(left) == ["u", "u_t"]
    for residual in left.values():
        np.testing.assert_allclose(residual.detach(), 0, atol=1e-13)
    # Two waves that agree at 0.3, and whose rates do not: only the second residual sees it.
    other = known(wave + sympy.Rational(7, 2) * (t - 0.3), {t: (0.3, 0.6)})
    left = other.evaluate(later.conditions["start"].residuals, columns)
    np.testing.assert_allclose(left["u"].detach(), 0, atol=1e-13)
    np.testing.assert_allclose(left["u_t"].detach(), 3.5, atol=1e-13)


def test_a_residual_of_the_start_is_carried_whatever_else_it_holds():
    before = known(x**2 + t, {t: (0, 1)})
    held = {"excess": u**2 - sympy.exp(x) * (1 + t)}
    problem = rod(start=pde.Inside(ROD, held, 20, at={t: 0}))
    later = window_of(problem, t, (1.0, 2.0), before)
    columns = drawn(later, "start")
    expected = (columns["x"] ** 2 + 1) ** 2 - 2 * np.exp(columns["x"])
    np.testing.assert_allclose(columns["carried0"], expected, rtol=1e-14)


def test_points_and_weights_of_the_start_stay_what_they_are():
    later = window_of(rod(), t, (1.0, 2.0), known(x, {t: (0, 1)})).conditions["start"]
    assert (later.points, later.weight, later.per_residual) == (60, 10, 1)
    first = window_of(rod(), t, (0.0, 1.0), None).conditions["start"]
    assert first == START


def test_measurements_belong_to_the_window_of_their_time():
    times = np.array([0.0, 0.5, 1.0, 1.2, 2.0])
    data = pde.Measured({x: times / 2, t: times}, {u: 10 * times})
    problem = rod(probes=data)
    before = known(x, {t: (0, 1)})
    first, second, third = (
        window_of(problem, t, span, None if span[0] == 0 else before).conditions
        for span in ((0.0, 1.0), (1.0, 1.1), (1.1, 2.0))
    )
    np.testing.assert_array_equal(first["probes"].values[u], [0, 5, 10])
    assert "probes" not in second
    np.testing.assert_array_equal(third["probes"].place[t], [1.2, 2.0])
    np.testing.assert_array_equal(third["probes"].place[x], [0.6, 1.0])


def test_a_measured_start_is_a_start():
    grid = np.linspace(0, 1, 30)
    data = pde.Measured({x: grid, t: 0 * grid}, {u: np.sin(np.pi * grid)}, points=30)
    later = window_of(rod(start=data), t, (1.0, 2.0), known(x**2 - t, {t: (0, 1)}))
    columns = {name: torch.from_numpy(a) for name, a in drawn(later, "start").items()}
    np.testing.assert_array_equal(columns["t"], 1)
    np.testing.assert_array_equal(columns["x"], grid)
    found = known(x**2 - t, {t: (1, 2)})
    left = found.evaluate(later.conditions["start"].residuals, columns)["u"]
    np.testing.assert_allclose(left.detach(), 0, atol=1e-14)


def test_what_holds_at_one_time_holds_in_the_window_of_that_time():
    section = pde.line((0.5, 0), (0.5, 1))
    flux = pde.Integral(section, u, equals=1, area=1, at={t: 1.5})
    last = pde.Inside(ROD, {u: 0}, at={t: 2})
    problem = rod(flux=flux, last=last)
    before = known(x, {t: (0, 1)})
    names = [
        set(window_of(problem, t, span, None if span[0] == 0 else before).conditions)
        for span in ((0.0, 1.0), (1.0, 1.5), (1.5, 2.0))
    ]
    common = {"inside", "ends", "start"}
    assert names == [common, common | {"flux"}, common | {"last"}]


def test_edges_may_be_chosen_and_time_is_shared():
    found = solve_in_windows(
        rod(), t, [0, 0.25, 2], network=TINY, train=budget(100_000), seconds=1.0
    )
    assert found.edges == (0.0, 0.25, 2.0)
    assert all(0 < part.steps < 100_000 for part in found.parts)


def test_the_last_time_may_be_rounded_and_no_input_is_missing(cooled):
    end = {"x": 0.5, "t": np.nextafter(np.float32(2), np.float32(3))}
    exact = cooled.evaluate({"u": u}, {"x": 0.5, "t": 2.0})["u"]
    np.testing.assert_allclose(cooled.evaluate({"u": u}, end)["u"], exact, rtol=1e-4)
    with pytest.raises(LookupError, match="the place has x and lacks t"):
        cooled.evaluate({"u": u}, {"x": 0.5})


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        (0, "there must be at least one window, got 0"),
        ([0, 1, 3], "the edges of windows must rise from 0 to 2, the range of t, got 0, 1, 3"),
        ([0.5, 1, 2], "must rise from 0 to 2"),
        ([0, 1.5, 1, 2], "must rise from 0 to 2"),
        ([], "must rise from 0 to 2"),
        ([0, np.nan, 2], "must rise from 0 to 2"),
    ],
)
def test_windows_outside_of_the_range_of_time_are_refused(windows, message):
    with pytest.raises(ValueError, match=message):
        solve_in_windows(rod(), t, windows)


def test_a_problem_without_a_start_has_no_windows():
    later = pde.Inside(ROD, {u: 0}, at={t: 0.1})
    with pytest.raises(ValueError, match="no condition holds at t = 0, so that a window would"):
        solve_in_windows(rod(start=later), t)


def test_a_start_by_definition_would_be_lost():
    # The first window begins with sin πx, and later ones with anything.
    raw = sympy.Function("raw", real=True)(x, t)
    made = {u: sympy.sin(sympy.pi * x) + t * raw}
    start = pde.Inside(ROD, {"other": raw - 1}, at={t: 0})
    with pytest.raises(ValueError, match=r"u\(x, t\) starts by its definition, so that a window"):
        solve_in_windows(replace(rod(start=start), definitions=made), t)
    # What only holds on the boundary says nothing of the start.
    kept = replace(rod(), definitions={u: x * (1 - x) * raw})
    solve_in_windows(kept, t, 1, network=TINY, train=budget(1))


def test_a_start_in_fractions_is_a_start():
    tenth = sympy.Rational(1, 10)
    start = pde.Inside(ROD, {u: 1}, at={t: tenth})
    problem = replace(rod(start=start), ranges={t: (0.1, 2)})
    later = window_of(problem, t, (1.0, 2.0), known(x, {t: (0, 1)}))
    assert set(drawn(later, "start")["t"]) == {1.0}


def test_a_problem_with_an_unknown_number_has_no_windows():
    kappa = sympy.Symbol("kappa")
    with pytest.raises(ValueError, match="kappa is one unknown number for all times"):
        solve_in_windows(replace(rod(), coefficients={kappa: 1.0}), t)


def test_windows_are_parts_of_a_range_that_is_no_period():
    with pytest.raises(LookupError, match="x is no coordinate with a range, which"):
        solve_in_windows(rod(), x)
    with pytest.raises(ValueError, match="t is periodic"):
        solve_in_windows(replace(rod(), periodic=(t,)), t)
