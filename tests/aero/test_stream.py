import math

import pytest

from ansatz.aero.stream import FreeStream


def test_air_of_standard_density_at_forty_meters_per_second_presses_with_980_pascal():
    assert FreeStream(40.0, density=1.225).dynamic_pressure == pytest.approx(980)


def test_half_the_car_at_twice_the_speed_has_the_same_reynolds_number():
    assert FreeStream(80.0).reynolds(2.0) == FreeStream(40.0).reynolds(4.0)


@pytest.mark.parametrize("name", ["speed", "density", "viscosity"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_stream_without_speed_mass_or_friction_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} of the free stream must be positive"):
        FreeStream(**{"speed": 1.0, name: value})
