"""What a solver or a measurement says about a car."""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from ansatz.aero.forces import Loads, surface_loads
from ansatz.aero.stream import FreeStream
from ansatz.aero.surface import Surface


@dataclass(frozen=True)
class CarTruth:
    """A reference solution, and how far it can be trusted itself.

    Attributes:
        name: Where it is from.
        surface: Cells of the solution, the whole body, m.
        pressure: Gauge pressure, Pa.
        shear: Wall shear stress, Pa, downstream where the flow is attached.
        stream: The free stream.
        reference_area, reference_length: m², m.
        center: Of moments, m.
        scatter: Standard deviation of coefficients over the solver's last iterations, by name.
        stated: Coefficients that the source states; the others are integrated.
    """

    name: str
    surface: Surface
    pressure: Float[Tensor, " cells"]
    shear: Float[Tensor, "cells 3"]
    stream: FreeStream
    reference_area: float
    reference_length: float
    center: tuple[float, float, float]
    scatter: dict[str, float] = field(default_factory=dict)
    stated: dict[str, float] = field(default_factory=dict)

    @cached_property
    def loads(self) -> Loads:
        """Force and moment, integrated over the solution's cells."""
        return surface_loads(
            self.surface,
            self.pressure,
            self.shear,
            stream=self.stream,
            reference_area=self.reference_area,
            reference_length=self.reference_length,
            center=torch.tensor(self.center, dtype=torch.float64),
        )

    @property
    def coefficients(self) -> dict[str, float]:
        """The coefficients: those stated by the source, the rest integrated."""
        return (self.loads.coefficients if len(self.surface) else {}) | self.stated
