"""The free stream: speed, density and viscosity of the air far ahead of the body.

Axes: x downstream, z up, y completes the right-handed frame (to the right of a driver, who looks
against x); drag is along +x, lift along +z. With dynamic pressure q = ρU²/2, fields are compared
without dimension:

    Cp = (p - p∞)/q        Cf = τ/q        u/U        νt/(U L)

so that speed and density enter a prediction as physics: Cp depends on them through the Reynolds
number alone.
"""

import math
from dataclasses import dataclass

AIR_VISCOSITY = 1.5e-5  # m²/s: air at 20 °C, the value of the DrivAerML and of our own solutions


@dataclass(frozen=True)
class FreeStream:
    """The flow far ahead.

    Attributes:
        speed: m/s.
        density: kg/m³. The default is DrivAerML's, so that forces are kinematic.
        viscosity: Kinematic viscosity, m²/s.

    Raises:
        ValueError: If one of them is not positive and finite.
    """

    speed: float
    density: float = 1.0
    viscosity: float = AIR_VISCOSITY

    def __post_init__(self) -> None:
        for name in ("speed", "density", "viscosity"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(
                    f"the {name} of the free stream must be positive and finite, got {value}"
                )

    @property
    def dynamic_pressure(self) -> float:
        """The dynamic pressure q = ρU²/2, Pa."""
        return 0.5 * self.density * self.speed**2

    def reynolds(self, length: float) -> float:
        """Reynolds number U L / ν, with a length in m."""
        return self.speed * length / self.viscosity
