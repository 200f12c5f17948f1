"""Where a body stands, how large it is and which way is up: what an STL file does not say.

Models expect x downstream with the nose first, z up, meters and the ground at a known height. A
file has bare numbers, so that units and axes are inferred from what vehicles look like:

    unit      the longest side is 0.2 to 30 m as it stands, or 500 to 30,000 mm
    up        z, unless the body is mirror-symmetric about z and not about y (WindsorML has y up)
    flow      along the longer horizontal side, from its lower end
    ground    the lowest point, or the plane of a convention just above it: wheels are often sunk
    axles     solids that are named as wheels, or else two patches where the body meets the ground

Every guess says what decided it, and what is doubtful is a warning.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ansatz.aero.geometry.axles import find_axles
from ansatz.aero.geometry.symmetry import asymmetry
from ansatz.mesh.solids import extent, merged
from ansatz.mesh.stl import Solid, Triangles

Convention = Literal["ansatz", "domino"]

DOMINO_GROUND = -0.318469  # z where wheels touch in DrivAerML, with x = 0 at the front axle
SUNK = 0.02  # of the height: deeper is no sunk wheel but another origin
PLACED = 1e-3  # of the length: as close to its place a body is not moved again
TOUCHING = 1e-4  # of the height: as low as the ground, to the rounding of text files
ONE_SIDED = 0.01  # of the width: how far a half body may reach over its symmetry plane
SYMMETRIC = 0.01  # of the width: asymmetry up to which a body passes for symmetric


@dataclass(frozen=True)
class Frame:
    """Measures of a body, in meters, with x downstream and z up.

    Attributes:
        unit: Of the file: `m` or `mm`.
        up: Axis of the file that points up: `z` or `y`.
        flow: Horizontal axis along the longer side: `x`, or `y` if the body stands across.
        length, width, height: Of the whole body; the width of a half body is doubled.
        nose: Smallest x.
        ground: z of the ground.
        is_half: Whether all of it lies on one side of y = 0.
        asymmetry: Largest distance between the body and its mirror image about y = 0, relative to
            the width; 0 for a half body.
        front_axle: x of the front axle; None if no wheels were found.
        wheelbase: Distance of the axles; None if no wheels were found.
        wheel_radius: None unless wheels are solids of their own.
        reasons: What decided unit, up axis, ground and wheels.
        warnings: What is doubtful. Of a half body it depends on the caller, who may mirror it.
    """

    unit: Literal["m", "mm"]
    up: Literal["z", "y"]
    flow: Literal["x", "y"]
    length: float
    width: float
    height: float
    nose: float
    ground: float
    is_half: bool
    asymmetry: float
    front_axle: float | None = None
    wheelbase: float | None = None
    wheel_radius: float | None = None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def scale(self) -> float:
        """Meters per unit of the file."""
        return 0.001 if self.unit == "mm" else 1.0


def frame(solids: Sequence[Solid]) -> Frame:
    """Infer unit, axes, ground and axles of a vehicle.

    Args:
        solids: As read from a file.

    Returns:
        The frame, in meters and z-up whatever the file has.

    Raises:
        ValueError: If the size fits neither meters nor millimeters.
    """
    unit, unit_reason = _unit(float(np.ptp(extent(merged(solids)), axis=0).max()))
    up, up_reason, residual = _up(merged(solids))
    solids = _upright(solids, 0.001 if unit == "mm" else 1.0, up)
    low, high = extent(merged(solids)).tolist()
    length, width, height = (top - bottom for bottom, top in zip(low, high, strict=True))
    is_half = max(low[1], -high[1]) > -ONE_SIDED * width
    ground, ground_reason = _ground(low[2], height)
    axles = find_axles(solids, ground)
    found = Frame(
        unit=unit,
        up=up,
        flow="x" if length >= width * (1 + is_half) else "y",
        length=length,
        width=width * (1 + is_half),
        height=high[2] - ground,
        nose=low[0],
        ground=ground,
        is_half=is_half,
        asymmetry=0.0 if is_half else residual,
        front_axle=axles.front if axles else None,
        wheelbase=axles.rear - axles.front if axles else None,
        wheel_radius=axles.radius if axles else None,
        reasons=(unit_reason, up_reason, ground_reason, axles.reason if axles else "no wheels"),
    )
    return replace(found, warnings=_warnings(found))


def upright(solids: Sequence[Solid], found: Frame) -> list[Solid]:
    """The solids in meters with z up, as the frame describes them."""
    return _upright(solids, found.scale, found.up)


def place(solids: Sequence[Solid], convention: Convention) -> list[Solid]:
    """Move solids, in meters and z-up, to where a model expects them.

    Args:
        solids: As `upright` returns them.
        convention: `ansatz`: nose at x = 0, ground at z = 0. `domino`: front axle at x = 0, ground
            at z = -0.318469 (NVIDIA's usability guide of the automotive aerodynamics service).

    Returns:
        The solids, moved along x and z.

    Raises:
        ValueError: If the convention needs a front axle and none is found.
    """
    found = frame(solids)
    if convention == "ansatz":
        shift = [-found.nose, 0.0, -found.ground]
    elif found.front_axle is None:
        raise ValueError(
            "the domino convention puts the front axle at x = 0, and no wheels were found. Name "
            "the wheels' solids `wheel_...`, or place the body with convention=ansatz"
        )
    else:
        # Axles seen by their patches on the ground are a little off those seen by wheels' names.
        is_there = abs(found.front_axle) < PLACED * found.length
        shift = [0.0 if is_there else -found.front_axle, 0.0, DOMINO_GROUND - found.ground]
    return [
        Solid(solid.name, (solid.triangles.astype(np.float64) + shift).astype(np.float32))
        for solid in solids
    ]


def _unit(longest: float) -> tuple[Literal["m", "mm"], str]:
    """Meters or millimeters, by the longest side of a vehicle."""
    if 0.2 <= longest <= 30:
        return "m", f"unit: m, for the longest side is {longest:.4g}"
    if 500 <= longest <= 30_000:
        return "mm", f"unit: mm, for the longest side is {longest:.5g}"
    if 100 <= longest < 500:
        advice = "This looks like centimeters or inches: scale by 0.01 or 0.0254"
    else:
        advice = "Export it in meters or millimeters"
    raise ValueError(
        f"the longest side is {longest:.4g}: no vehicle in meters (0.2 to 30) or millimeters (500 "
        f"to 30000). {advice}"
    )


def _up(triangles: Triangles) -> tuple[Literal["z", "y"], str, float]:
    """The axis that points up, by symmetry: vehicles have a left and a right.

    Returns:
        Axis, reason, and the asymmetry across it.
    """
    sideways = asymmetry(triangles, axis=1)
    if sideways < SYMMETRIC:
        return "z", "up: z, for the body is symmetric about y = 0", sideways
    upwards = asymmetry(triangles, axis=2)
    if upwards < SYMMETRIC:
        return "y", "up: y, for the body is symmetric about z = 0 and not about y = 0", upwards
    return "z", "up: z, as usual, for the body is symmetric about neither y = 0 nor z = 0", sideways


def _upright(solids: Sequence[Solid], scale: float, up: Literal["z", "y"]) -> list[Solid]:
    """Scale to meters; turn y up to z up about the x axis."""
    if scale == 1 and up == "z":
        return list(solids)
    axes, signs = ([0, 2, 1], [1, -1, 1]) if up == "y" else ([0, 1, 2], [1, 1, 1])
    factors = scale * np.array(signs, np.float64)
    return [
        Solid(solid.name, (solid.triangles[:, :, axes] * factors).astype(np.float32))
        for solid in solids
    ]


def _ground(lowest: float, height: float) -> tuple[float, str]:
    """Height of the ground."""
    for known in (0.0, DOMINO_GROUND):
        if known - SUNK * height <= lowest <= known + TOUCHING * height:
            return known, f"ground: z = {known:g} m, for the lowest point is {lowest:.4g} m"
    return lowest, f"ground: the lowest point, z = {lowest:.4g} m"


def _warnings(found: Frame) -> tuple[str, ...]:
    """What a user should look at."""
    doubts = {
        f"only {found.length:.3g} m long: is it a scale model?": found.length < 2.5,
        f"{found.length:.3g} m long: longer than a car": found.length > 6.5,
        "it stands across the flow: its longer side lies along y": found.flow == "y",
        f"not symmetric about y = 0: off by {found.asymmetry:.1%} of the width": (
            found.asymmetry > SYMMETRIC
        ),
        "no wheels found: the place of the axles is unknown": found.front_axle is None,
        f"the ground is at z = {found.ground:.4g} m, not at 0": (
            found.ground not in (0.0, DOMINO_GROUND)
        ),
    }
    return tuple(text for text, applies in doubts.items() if applies)
