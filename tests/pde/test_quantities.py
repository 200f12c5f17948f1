"""Derived numbers of exact solutions, against their formulas."""

import numpy as np
import pytest
import sympy

from ansatz import pde
from ansatz.pde import exact
from ansatz.pde.quantities import Number, average, difference, found, integral

x, y, z, t = pde.coordinates("x y z t")
u, v, p = pde.fields("u v p", x, y)
CHANNEL = pde.rectangle((0, 0), (3, 1))
DROP = 8.0  # of Poiseuille's flow with mean velocity 2/3 and viscosity 1/3 over a length of 3


@pytest.fixture
def poiseuille(exact_solution):
    flow = pde.Inside(CHANNEL, pde.navier_stokes((u, v), p, sympy.Rational(1, 3)))
    speed = 4 * y * (1 - y)
    return exact_solution({u: speed, v: 0 * x, p: DROP * (1 - x / 3)}, {"flow": flow})


def test_the_flow_rate_of_poiseuille_is_the_same_through_every_section(poiseuille):
    for place in (0.3, 1.7):
        section = pde.line((place, 0), (place, 1))
        rate = poiseuille.quantity(integral(u, on=section))
        assert abs(rate.value - 2 / 3) < 5 * rate.error < 1e-5
    net = poiseuille.quantity(integral(u * pde.NORMAL[0] + v * pde.NORMAL[1], on=CHANNEL))
    assert abs(net.value) < 5 * net.error < 1e-3


def test_the_pressure_drop_balances_the_friction_of_the_walls(poiseuille):
    drop = difference(
        average(p, on=CHANNEL, where=pde.equal(x, 0)), average(p, on=CHANNEL, where=pde.equal(x, 3))
    )
    found_drop = poiseuille.quantity(drop)
    assert found_drop.value == pytest.approx(DROP, rel=1e-12)
    # Pressure times height is the friction on both walls, μ u_y of either sign.
    friction = integral(-u.diff(y) * pde.NORMAL[1] / 3, on=CHANNEL)
    assert poiseuille.quantity(friction).value == pytest.approx(DROP, rel=1e-3)


def test_the_pressure_force_of_kovasznay_over_a_box(exact_solution):
    half = sympy.Rational(1, 2)
    values = dict(zip((u, v, p), exact.kovasznay(x - half, y - half, 40), strict=True))
    box = pde.rectangle((0, 0), (1, 1))
    solution = exact_solution(values, {"flow": pde.Inside(box, pde.navier_stokes((u, v), p, 1))})
    force = solution.quantity(integral(-p * pde.NORMAL[0], on=box, where=(x > 0.2) | (y < 0.5)))
    # p depends on x alone: only the vertical walls have a part, half of the left one.
    left, right = (float(values[p].subs(x, end)) for end in (0, 1))
    assert force.value == pytest.approx(0.5 * left - right, rel=1e-12)


def test_the_heat_that_a_ring_conducts_is_the_same_inside_and_outside(exact_solution):
    (T,) = pde.fields("T", x, y)
    ring = pde.circle((0, 0), radius=2) - pde.circle((0, 0), radius=1)
    radius2 = x**2 + y**2
    values = {T: 1 - sympy.log(radius2) / (2 * sympy.log(2))}
    solution = exact_solution(values, {"heat": pde.Inside(ring, pde.heat(T, 1))})
    flux = -(T.diff(x) * pde.NORMAL[0] + T.diff(y) * pde.NORMAL[1])
    known = 2 * np.pi / np.log(2)
    for sign, where in ((1, radius2 > 2), (-1, radius2 < 2)):
        number = solution.quantity(integral(flux, on=ring, where=where))
        assert number.value == pytest.approx(sign * known, rel=1e-3)


def test_integrals_inside_a_body_at_a_time_and_a_parameter(exact_solution):
    a = sympy.Symbol("a")
    (T,) = pde.fields("T", x, y, z, t)
    ball = pde.sphere((0, 0, 0), radius=a)
    solution = exact_solution(
        {T: (x**2 + y**2 + z**2) * sympy.exp(-t)},
        {"inside": pde.Inside(ball, {"r": T.diff(t) + T})},
        ranges={t: (0, 1), a: (1, 2)},
    )
    energy = integral(T, inside=ball, at={t: 0.5})
    number = solution.quantity(energy, {"a": 1.5})
    known = 4 * np.pi / 5 * 1.5**5 * np.exp(-0.5)
    assert abs(number.value - known) < 4 * number.error < 0.01 * known
    mean = solution.quantity(average(T, inside=ball), {"a": 1.5, "t": 0.0})
    assert mean.value == pytest.approx(0.6 * 1.5**2, rel=2e-3)
    with pytest.raises(LookupError, match=r"depends on a: give a value, as a=0\.5"):
        solution.quantity(energy)


def test_errors_are_the_deviations_of_repeated_estimates(exact_solution):
    disk = pde.circle((0, 0), radius=1)
    solution = exact_solution({u: x}, {"inside": pde.Inside(disk, {"r": u - x})})
    square = integral(u**2, inside=disk)
    numbers = [
        square(solution.problem, solution.trial, {}, np.random.default_rng(seed))
        for seed in range(10)
    ]
    misses = [(number.value - np.pi / 4) / number.error for number in numbers]
    assert 0.4 < np.sqrt(np.mean(np.square(misses))) < 2.5


def test_a_coefficient_that_was_found_has_no_error_of_quadrature(exact_solution):
    kappa = sympy.Symbol("kappa")
    body = {"heat": pde.Inside(CHANNEL, {"r": kappa * u})}
    solution = exact_solution({u: x}, body, coefficients={kappa: 0.3})
    number = solution.quantity(found("kappa"))
    assert number.value == pytest.approx(0.3, rel=1e-6)
    assert number.error is None
    assert solution.quantity(difference(found("kappa"), found("kappa"))).error is None
    mixed = solution.quantity(difference(average(u, on=CHANNEL), found("kappa")))
    assert mixed.error == solution.quantity(average(u, on=CHANNEL)).error
    with pytest.raises(LookupError, match="unknown coefficient 'kapa'; did you mean 'kappa'"):
        solution.quantity(found("kapa"))


def test_a_place_is_asked_for_once(poiseuille):
    with pytest.raises(ValueError, match="on=shape for its boundary, or inside=shape"):
        integral(u)
    with pytest.raises(ValueError, match="on=shape for its boundary, or inside=shape"):
        integral(u, on=CHANNEL, inside=CHANNEL)
    with pytest.raises(ValueError, match="x is a coordinate of space, and `at` gives times"):
        poiseuille.quantity(integral(u, inside=CHANNEL, at={x: 0.5}))
    with pytest.raises(ValueError, match=r"no points of .* where x > 5"):
        poiseuille.quantity(integral(u, on=CHANNEL, where=x > 5))


def test_a_number_is_written_to_the_digits_that_it_has():
    assert str(Number(1.23456789, 1.2e-4)) == "1.23457 ± 1.2e-04"
    assert str(Number(0.3)) == "0.3"
    assert str(Number(2.5, 0.0)) == "2.5 ± 0"
    assert str(Number(2.5, float("nan"))) == "2.5 ± nan"
