"""A geometry as a model sees it: measured, cut into small cells, and folded onto one half.

    solids -> meters, ground at its height -> triangles -> cells no longer than L/35
           -> only the wetted ones: above the ground and in no other solid
           -> halves: that with y >= 0, and the other one reflected if it differs

Fields are wanted at the file's triangles, forces as integrals over the cells. What other points see
of the body are moments of a finer sample of it, of cells no longer than L/60: finer than the finest
kernel of `ansatz.aero.cloud`, so that no tessellation shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ansatz.aero.cloud import BodyFrame
from ansatz.aero.geometry.placement import frame, upright
from ansatz.aero.surface import Surface, triangle_surface
from ansatz.mesh.solids import extent, frontal_area, inside, merged, subdivide
from ansatz.mesh.stl import Solid, Triangles
from ansatz.mesh.topology import bodies

LONGEST = 1 / 35  # edge of a cell, in lengths of the body
SAMPLE = 1 / 60  # edge of a cell of the finer sample
SEAM = 1e-3  # of the width: how far the rim of a half body may be from its plane of symmetry
MIRRORED = 0.003  # of the width: facets of symmetric wheels differ by up to 0.001


@dataclass(frozen=True)
class Body:
    """A geometry, measured.

    Attributes:
        triangles: Of the file, in meters, x downstream, z up.
        cells: The wetted surface in small cells.
        parents: For each cell, the triangle that it is a part of.
        sample: The wetted surface in finer cells.
        frame: Where the body stands and how large it is.
        frontal_area: m², above the ground.
        front_axle, wheelbase: m; None if there are no wheels to be seen.
        is_symmetric: Whether it is its own mirror image about y = 0.
        notes: What was noticed, and done.
    """

    triangles: Triangles
    cells: Surface
    parents: NDArray[np.intp]
    sample: Surface
    frame: BodyFrame
    frontal_area: float
    front_axle: float | None
    wheelbase: float | None
    is_symmetric: bool
    notes: tuple[str, ...]

    @property
    def reference_length(self) -> float:
        """The wheelbase, or the length where there are no wheels, m."""
        return self.wheelbase or self.frame.length

    @property
    def moment_center(self) -> tuple[float, float, float]:
        """The middle of the wheelbase on the ground, or of the length, m."""
        if self.front_axle is not None and self.wheelbase is not None:
            return self.front_axle + self.wheelbase / 2, 0.0, self.frame.ground
        return self.frame.nose + self.frame.length / 2, 0.0, self.frame.ground

    def half(self, side: int) -> Surface:
        """The sample of the half with y of a sign, reflected to y >= 0, in lengths of the body.

        Args:
            side: 1 for the half with y >= 0, -1 for the other.
        """
        mine = self.sample[torch.nonzero(self.sample.centers[:, 1] * side >= 0).squeeze(1)]
        flip = torch.tensor([1.0, float(side), 1.0])
        length = self.frame.length
        return Surface(
            self.frame.scaled(mine.centers * flip), mine.normals * flip, mine.areas / length**2
        )


def measure(solids: Sequence[Solid], units: str = "auto") -> Body:
    """Measure a geometry and cut it into cells.

    Args:
        solids: As read, closed; the half of a body on one side of y = 0 is mirrored.
        units: `m`, `mm`, or `auto` to decide by the size.

    Returns:
        The body.

    Raises:
        ValueError: If the size is no vehicle's, or it stands across the flow.
    """
    found = frame(solids)
    if units != "auto" and units != found.unit:
        raise ValueError(
            f"the geometry was announced in {units}, and it is {found.length:.3g} m long in "
            f"{found.unit}. Give units={found.unit}, or scale it"
        )
    if found.flow == "y":
        raise ValueError(
            f"the body stands across the flow: it is {found.width:.3g} m wide and "
            f"{found.length:.3g} m long. Turn it by 90 degrees about z: the flow is along +x"
        )
    solids = bodies(upright(solids, found))
    notes = found.warnings
    if found.is_half:
        solids = completed(solids, SEAM * found.width)
        notes += ("only half of the body was given: it was mirrored at y = 0",)
    triangles = merged(solids)
    (cells, parents), (sample, _) = wetted_cells(
        solids, found.ground, LONGEST * found.length, SAMPLE * found.length
    )
    if not len(cells):
        raise ValueError("no part of the geometry is above the ground and outside of the others")
    return Body(
        triangles=triangles,
        cells=cells,
        parents=parents,
        sample=sample,
        frame=BodyFrame(found.nose, found.length, found.width, found.height, found.ground),
        frontal_area=frontal_area(solids, found.ground),
        front_axle=found.front_axle,
        wheelbase=found.wheelbase,
        is_symmetric=found.asymmetry < MIRRORED,
        notes=notes,
    )


def completed(solids: Sequence[Solid], seam: float) -> list[Solid]:
    """The whole body from its half: each solid, and its reflection about y = 0.

    A solid that reaches the plane of symmetry becomes one with its reflection, closed whether the
    half had a lid there or not; a wheel beside the plane becomes two.

    Args:
        solids: Connected bodies on one side of y = 0, m.
        seam: Distance from the plane up to which a corner lies on it, m.

    Returns:
        Closed solids.
    """
    whole = []
    for solid in solids:
        on_plane = np.abs(solid.triangles[:, :, 1]) < seam
        wall = replace(solid, triangles=solid.triangles[~on_plane.all(axis=1)])
        if on_plane.any():
            both = np.concatenate([wall.triangles, reflected(wall).triangles])
            whole.append(replace(solid, triangles=both))
        else:
            whole += [wall, reflected(wall)]
    return whole


def reflected(solid: Solid) -> Solid:
    """The mirror image of a solid about y = 0, with its normals outwards."""
    flipped = solid.triangles[:, ::-1] * np.array([1, -1, 1], np.float32)
    return replace(solid, name=f"{solid.name}_mirrored", triangles=flipped)


def wetted_cells(
    solids: Sequence[Solid], ground: float, *lengths: float
) -> list[tuple[Surface, NDArray[np.intp]]]:
    """Cut solids into cells and keep those that the air touches.

    Args:
        solids: In meters.
        ground: Its height; what lies below is dropped, as the sunk part of a wheel.
        lengths: Edges of cells, m: the solids are cut once for each.

    Returns:
        For each length the cells, and for each cell the index of its triangle among those of all
        solids in turn.
    """
    triangles = merged(solids)
    owners = np.repeat(np.arange(len(solids)), [len(solid.triangles) for solid in solids])
    cuts = [subdivide(triangles, longest) for longest in lengths]
    centers = [middles(pieces) for pieces, _ in cuts]
    wet = [places[2] > ground for places in centers]
    for number, solid in enumerate(solids):
        box = extent(solid.triangles)
        near = [
            np.flatnonzero(flags & (owners != number)[parents] & within(places, box))
            for flags, (_, parents), places in zip(wet, cuts, centers, strict=True)
        ]
        # All lengths at once: what a search costs is the solid more than the points.
        points = [places[:, index] for places, index in zip(centers, near, strict=True)]
        hidden = inside(solid.triangles, np.concatenate(points, axis=1).T)
        ends = np.cumsum([len(index) for index in near])[:-1]
        for flags, index, part in zip(wet, near, np.split(hidden, ends), strict=True):
            flags[index] = ~part
    return [surface_of_wet(*cut, flags) for cut, flags in zip(cuts, wet, strict=True)]


def middles(triangles: Triangles) -> NDArray[np.float32]:
    """Centers of triangles, axes first, shape (3, n), as `triangle_surface` has them."""
    first, second, third = triangles.transpose(1, 2, 0).astype(np.float64, order="C")
    centers: NDArray[np.float32] = ((first + second + third) / 3).astype(np.float32)
    return centers


def within(places: NDArray[np.float32], box: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which places, shape (3, n), are between the smallest and largest coordinates of a box."""
    found = np.ones(places.shape[1], np.bool_)
    for values, low, high in zip(places, *box, strict=True):
        found &= (values >= low) & (values <= high)
    return found


def surface_of_wet(
    pieces: Triangles, parents: NDArray[np.intp], wet: NDArray[np.bool_]
) -> tuple[Surface, NDArray[np.intp]]:
    """The wet pieces that have an area as a surface, and their parents."""
    found, parents = triangle_surface(torch.from_numpy(pieces[wet])), parents[wet]
    held = found.areas > 0
    if held.all():
        return found, parents
    return found[held], parents[held.numpy()]
