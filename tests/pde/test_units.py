"""Numbers from quantities are what pint's own arithmetic says; similar flows stay similar."""

import subprocess
import sys

import numpy as np
import pint
import pytest
from pint import pi_theorem

from ansatz.pde.units import Scales

Q = pint.get_application_registry().Quantity
CHANNEL = {"length": "20 mm", "velocity": "2 m/s", "density": "1.2 kg/m^3"}


def test_numbers_are_ratios_that_pint_computes():
    scales = Scales(**CHANNEL)
    length, speed, density = Q(20, "mm"), Q(2, "m/s"), Q(1.2, "kg/m^3")
    made = {
        "1.5e-5 m^2/s": length * speed,
        "3 ft": length,
        "7 minute": length / speed,
        "101325 Pa": density * speed**2,
        "2 lbf": density * speed**2 * length**2,
        "40 W": density * speed**3 * length**2,
        "0.07 N/m": density * speed**2 * length,
        "-9.81 m/s^2": speed**2 / length,
        "30 deg": Q(1.0, ""),
        "5 percent": Q(1.0, ""),
        "0.25": Q(1.0, ""),
    }
    for text, scale in made.items():
        ratio = (Q(text) / scale).to("").magnitude
        assert scales.number(text) == pytest.approx(ratio, rel=1e-14), text
        assert scales.number(Q(text)) == scales.number(text)


@pytest.mark.parametrize(
    "scales",
    [
        CHANNEL,
        {"length": "1 inch", "time": "3 hour", "mass": "1 lb"},
        {"viscosity": "1.8e-5 Pa*s", "density": "1.2 kg/m^3", "velocity": "7 m/s"},
        {"pressure": "1 atm", "frequency": "50 Hz", "force": "3 N"},
        {"root": "2 m^0.5", "speed": "1 knot", "power": "1 hp"},
    ],
)
def test_the_reynolds_number_is_the_same_in_all_scales(scales):
    # Buckingham: what has no dimension depends on no scale.
    flow = {"L": "0.3 m", "U": "8 m/s", "rho": "1.2 kg/m^3", "mu": "1.8e-5 Pa*s"}
    (group,) = pi_theorem({name: Q(text) for name, text in flow.items()})
    number = Scales(**scales).number
    found = np.prod([number(flow[name]) ** float(a) for name, a in group.items()])
    known = np.prod([Q(flow[name]).to_base_units().m ** float(a) for name, a in group.items()])
    assert abs(np.log(known)) > 1
    assert found == pytest.approx(known, rel=1e-12)


def test_there_and_back():
    scales = Scales(**CHANNEL)
    assert scales.convert(scales.number("3 psi"), "psi") == pytest.approx(3, rel=1e-14)
    pressures = np.array([[-5.0, 0.0], [2.0, 1e5]])
    np.testing.assert_allclose(
        scales.convert(scales.numbers(pressures, "Pa"), "mbar"), pressures / 100, rtol=1e-14
    )


def test_a_pressure_of_one_is_twice_the_dynamic_pressure():
    scales = Scales(**CHANNEL)
    found = scales.of({"p": np.array([1.0, 0.5]), "u": np.array(3.0)}, {"p": "Pa"})
    assert found.keys() == {"p"}
    np.testing.assert_allclose(found["p"], [1.2 * 2**2, 0.5 * 1.2 * 2**2], rtol=1e-15)


def test_poiseuille_flow_loses_the_same_pressure_in_numbers_and_in_pascals():
    # Between plates, dp/dx = -12 μ U / h².
    scales = Scales(**CHANNEL)
    nu, length = scales.number("1.5e-5 m^2/s"), scales.number("100 mm")
    drop = scales.convert(12 * nu * length, "Pa")
    assert drop == pytest.approx(12 * (1.2 * 1.5e-5) * 2 * 0.1 / 0.02**2, rel=1e-14)


def test_a_temperature_is_a_point_and_a_difference_is_not():
    scales = Scales(temperature="50 K", length="1 m", power="1 W")
    assert scales.number("20 degC") == pytest.approx(293.15 / 50, rel=1e-15)
    assert scales.number("20 delta_degC") == pytest.approx(20 / 50, rel=1e-15)
    np.testing.assert_allclose(scales.numbers([32.0, 212.0], "degF"), [273.15 / 50, 373.15 / 50])
    assert scales.number("65 degC") - scales.number("20 degC") == pytest.approx(0.9)
    np.testing.assert_allclose(scales.convert([0.9], "delta_degC"), 45)
    np.testing.assert_allclose(scales.convert(293.15 / 50, "degC"), 20)
    # In a compound unit it is a difference.
    assert scales.number("3 W/m/degC") == pytest.approx(scales.number("3 W/m/K")) == 150
    assert scales.convert(0.9, "degC") == pytest.approx(45 - 273.15)


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        ({"length": "1 m", "velocity": "1 m/s", "time": "1 s"}, "follows from length velocity^-1"),
        ({"length": "1 m", "width": "2 ft"}, "width, [length], follows from length: leave it out"),
        ({"angle": "1 rad"}, "angle has no dimension and needs no scale: leave it out"),
        ({"temperature": "20 degC"}, "a scale is a difference: write it in K or delta_degC"),
        ({"length": "0 m"}, "length must be positive and finite, got 0.0 meter"),
        ({"length": "-1 m"}, "length must be positive and finite"),
        ({"length": "long"}, "'long' is no number with a unit, as '1.5e-5 m^2/s'"),
        ({"length": 0.1}, "0.1 is no number with a unit"),
    ],
)
def test_scales_that_are_none_are_refused(scales, message):
    with pytest.raises(ValueError) as caught:
        Scales(**scales)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("300 K", "kelvin is [temperature], and nothing scales [temperature]; there are length ("),
        (
            "1 Pa",
            "nothing scales [mass]; there are length ([length]), velocity ([length] [time]^-1",
        ),
        ("5 W/m/K", "nothing scales [mass], [temperature]; "),
        ("1,5 m", "',5 m' is no product of powers of units, as 'W/m^2/K'"),
        ("1 m^", "'m^' is no product"),
        ("1 (m", "'(m' is no product"),
        ("", "'' is no number with a unit"),
    ],
)
def test_quantities_that_cannot_be_numbers_are_refused(text, message):
    scales = Scales(length="20 mm", velocity="2 m/s")
    with pytest.raises(ValueError) as caught:
        scales.number(text)
    assert message in str(caught.value)


def test_a_unit_that_nobody_knows_is_named():
    with pytest.raises(LookupError, match="'kmh' holds kmh, which is no unit; units are those of"):
        Scales(velocity="50 kmh")


def test_units_cost_nothing_until_they_are_asked_for():
    check = "import sys, ansatz.pde.units; sys.exit('pint' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
