"""Aerodynamic forces, moments and coefficients from a solution on the surface of a body.

With outward unit normals n, gauge pressure p and wall shear stress τ, the traction that the
fluid exerts on the wall, the force and the moment about a point r₀ of the fluid on the body are

    F = ∮ (τ - p n) dA        M = ∮ (r - r₀) × (τ - p n) dA

(Anderson, Fundamentals of Aerodynamics, 6th ed., §1.5). Solvers differ in sign and scale: some
write p and τ divided by density, or τ as the traction of the wall on the fluid. The readers
bring every file to this convention and to SI units, so nothing here asks where a field is from.

Coefficients refer to the frontal area A and, for moments, to a reference length L, by custom the
wheelbase, about the middle of the wheelbase on the ground. The lift of the front and the rear
axle are those of the DrivAerML data set: Clf = Cl/2 + Cm, Clr = Cl/2 - Cm, with the pitching moment
Cm positive nose up.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ansatz.aero.stream import FreeStream
from ansatz.aero.surface import Surface


def surface_force(
    surface: Surface,
    pressure: Float[Tensor, "*batch cells"],
    shear: Float[Tensor, "*batch cells 3"],
) -> Float[Tensor, "*batch 3"]:
    """Integrate the traction of the fluid over a surface.

    Args:
        surface: The body, as cells with outward unit normals.
        pressure: Gauge pressure, Pa. On a surface that is not closed, an absolute pressure
            would leave the ambient pressure in the force.
        shear: Wall shear stress, Pa. Where the flow is attached it points downstream.

    Returns:
        The force on the body, N: drag, side force, lift.
    """
    return cell_forces(surface.normals, surface.areas, pressure, shear).sum(-2)


def surface_moment(
    surface: Surface,
    pressure: Float[Tensor, "*batch cells"],
    shear: Float[Tensor, "*batch cells 3"],
    center: Float[Tensor, " 3"],
) -> Float[Tensor, "*batch 3"]:
    """Integrate the moment of the traction of the fluid about a point.

    Args:
        surface: The body, as cells with outward unit normals.
        pressure: Gauge pressure, Pa.
        shear: Wall shear stress, Pa, downstream where the flow is attached.
        center: The point, m.

    Returns:
        The moment on the body, N m: about x (roll), y (pitch, nose up positive), z (yaw).
    """
    forces = cell_forces(surface.normals, surface.areas, pressure, shear)
    arms = (surface.centers.double() - center.double()).expand_as(forces)
    moment: Tensor = torch.linalg.cross(arms, forces).sum(-2)
    return moment


def cell_forces(
    normals: Float[Tensor, "*batch cells 3"],
    areas: Float[Tensor, "*batch cells"],
    pressure: Float[Tensor, "*batch cells"],
    shear: Float[Tensor, "*batch cells 3"],
) -> Float[Tensor, "*batch cells 3"]:
    """The force of the fluid on each cell, (τ - p n) A, in float64.

    Over nine million cells, a sum in float32 is wrong in the fifth digit of the drag.

    Args:
        normals: Unit normals that point into the fluid.
        areas: m².
        pressure: Gauge pressure, Pa.
        shear: Wall shear stress, Pa.
    """
    traction = shear.double() - pressure.double().unsqueeze(-1) * normals.double()
    return traction * areas.double().unsqueeze(-1)


def force_coefficients(
    force: Float[Tensor, "*batch 3"], stream: FreeStream, area: float
) -> Float[Tensor, "*batch 3"]:
    """Divide a force by dynamic pressure and reference area.

    Args:
        force: Drag, side force and lift, N.
        stream: The flow that the force belongs to.
        area: Reference area, m²: by custom the frontal area of a car, the planform of a wing.

    Returns:
        The coefficients of drag, side force and lift, dimensionless.

    Raises:
        ValueError: If the area is not positive.
    """
    if area <= 0:
        raise ValueError(f"the reference area must be positive, got {area} m²")
    return force / (stream.dynamic_pressure * area)


@dataclass(frozen=True)
class Loads:
    """Force and moment on a body, with their reference quantities.

    Attributes:
        force: Drag, side force, lift, N.
        moment: Roll, pitch (nose up positive), yaw about `center`, N m.
        stream: The free stream.
        reference_area: m².
        reference_length: m, of the moment coefficients.
        center: The point the moment is taken about, m.
    """

    force: Float[Tensor, " 3"]
    moment: Float[Tensor, " 3"]
    stream: FreeStream
    reference_area: float
    reference_length: float
    center: Float[Tensor, " 3"]

    @property
    def coefficients(self) -> dict[str, float]:
        """Dimensionless coefficients by name: cd, cs, cl, cm_roll, cm_pitch, cm_yaw, clf, clr."""
        cd, cs, cl = force_coefficients(self.force, self.stream, self.reference_area).tolist()
        scale = self.stream.dynamic_pressure * self.reference_area * self.reference_length
        roll, pitch, yaw = (self.moment / scale).tolist()
        return {
            "cd": cd,
            "cl": cl,
            "cs": cs,
            "cm_roll": roll,
            "cm_pitch": pitch,
            "cm_yaw": yaw,
            "clf": cl / 2 + pitch,
            "clr": cl / 2 - pitch,
        }


def surface_loads(
    surface: Surface,
    pressure: Float[Tensor, " cells"],
    shear: Float[Tensor, "cells 3"],
    *,
    stream: FreeStream,
    reference_area: float,
    reference_length: float,
    center: Float[Tensor, " 3"],
) -> Loads:
    """Force and moment of one solution, with the reference quantities that belong to them.

    Args:
        surface: The body, as cells with outward unit normals.
        pressure: Gauge pressure, Pa.
        shear: Wall shear stress, Pa, downstream where the flow is attached.
        stream: The free stream.
        reference_area: m².
        reference_length: m, of the moment coefficients.
        center: The point the moment is taken about, m.

    Raises:
        ValueError: If a reference quantity is not positive.
    """
    if reference_area <= 0:
        raise ValueError(f"the reference area must be positive, got {reference_area} m²")
    if reference_length <= 0:
        raise ValueError(f"the reference length must be positive, got {reference_length} m")
    return Loads(
        surface_force(surface, pressure, shear),
        surface_moment(surface, pressure, shear, center),
        stream,
        reference_area,
        reference_length,
        center,
    )
