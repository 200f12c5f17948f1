"""From an STL file to forces and fields: the predictor of cars.

    encode   read, measure, cut into cells, fold onto halves, splat, choose anchors       (host)
    forward  features, slices, fields, and their integrals, member by member             (device)
    decode   units, coefficients, intervals, doubts                                       (host)

A body that is its own mirror image is evaluated once for both halves; of another one each half is
evaluated as if the other were its reflection, and a note says so.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ansatz.aero.body import Body, measure
from ansatz.aero.boundary import boundary_geometry
from ansatz.aero.calibration import Calibration, describe
from ansatz.aero.car import CarAnswer, CarRequest, Interval, VolumeFields
from ansatz.aero.cloud import distance, splat
from ansatz.aero.evaluation import Tensors, evaluate
from ansatz.aero.folding import fold
from ansatz.aero.forces import Loads
from ansatz.aero.model import DominoEnsemble
from ansatz.aero.stl import read_stl
from ansatz.aero.stream import FreeStream
from ansatz.aero.surface import Surface, triangle_surface
from ansatz.aero.vtp import read_vtp
from ansatz.core.recipe import Encoded

ANCHORS = 4096  # cells that a body is encoded from
VOLUME_BOX = ((-0.6, -0.5, 0.0), (2.4, 0.5, 0.75))  # of the training points, in lengths
FAMILIAR_SPEEDS = (20.0, 50.0)  # m/s, of the training cars


@dataclass(frozen=True)
class Asked:
    """What `decode` has to know about a request.

    Attributes:
        body: The geometry.
        stream: The free stream.
        surface: The cells that fields are wanted at; None for the geometry's triangles.
        points: The points of the flow that are wanted, m.
        gaps: Their distance from the body, m.
        description: Of the body, for its distance from the training cars.
        reference_area, reference_length: m², m.
        center: Of moments, m.
    """

    body: Body
    stream: FreeStream
    surface: Surface | None
    points: Float[Tensor, "points 3"]
    gaps: Float[Tensor, " points"]
    description: Float[Tensor, " features"]
    reference_area: float
    reference_length: float
    center: Float[Tensor, " 3"]


@dataclass(frozen=True)
class CarPredictor:
    """The predictor of a checkpoint.

    Attributes:
        model: The networks.
        calibration: What turns their spread into intervals, and distance into doubt.
    """

    model: DominoEnsemble
    calibration: Calibration

    def encode(self, request: CarRequest) -> Encoded[Asked]:
        """Read and measure a geometry, and choose the points to answer at.

        Raises:
            ValueError: If the geometry cannot be read or is no car's.
        """
        body = measure(read_stl(request.geometry), request.units)
        stream = FreeStream(request.speed, request.density)
        halves = [body.half(side) for side in ((1,) if body.is_symmetric else (1, -1))]
        log_reynolds = float(np.log(stream.reynolds(body.frame.length) / 1e7))
        tensors = {
            "proportions": body.frame.proportions,
            "log_reynolds": torch.tensor(log_reynolds),
            "areas": body.cells.areas / body.frame.length**2,
            "places": body.frame.scaled(body.cells.centers),
            "normals": body.cells.normals,
            **fold(body, body.cells.centers, body.cells.normals).tensors("cells"),
        }
        for side, half in enumerate(halves):
            tensors |= encoded_half(half, side)
        surface = asked_surface(request)
        if surface is not None:
            tensors |= fold(body, surface.centers, surface.normals).tensors("asked")
        points = asked_points(request, body)
        gaps = torch.zeros(0)
        if len(points):
            gaps, away = away_from(body, halves, points)
            flow = fold(body, points, away)
            tensors |= flow.tensors("flow") | {"flow_gaps": gaps[flow.picks]}
        return Encoded(
            tensors,
            Asked(
                body=body,
                stream=stream,
                surface=surface,
                points=points,
                gaps=gaps * body.frame.length,
                description=describe(halves[0], log_reynolds),
                reference_area=request.reference_area or body.frontal_area,
                reference_length=request.reference_length or body.reference_length,
                center=torch.tensor(body.moment_center, dtype=torch.float64),
            ),
        )

    def forward(self, tensors: Tensors) -> Tensors:
        """Evaluate the networks; see `ansatz.aero.evaluation`."""
        return evaluate(self.model, tensors)

    def decode(self, outputs: Tensors, encoded: Encoded[Asked]) -> CarAnswer:
        """Give the outputs their units."""
        asked = encoded.context
        body, stream = asked.body, asked.stream
        q = stream.dynamic_pressure
        members = [member_loads(outputs, asked, index) for index in range(len(outputs["force"]))]
        loads = Loads(
            torch.stack([m.force for m in members]).mean(0),
            torch.stack([m.moment for m in members]).mean(0),
            stream,
            asked.reference_area,
            asked.reference_length,
            asked.center,
        )
        if asked.surface is None:
            surface, fields, deviation = triangle_fields(body, outputs)
        else:
            surface, fields, deviation = asked.surface, outputs["asked"], outputs["asked_deviation"]
        return CarAnswer(
            surface=surface,
            pressure=q * fields[:, 0],
            shear=q * fields[:, 1:],
            loads=loads,
            bands=bands(loads, members, self.calibration),
            ood_score=self.calibration.distance(asked.description),
            volume=volume_answer(outputs, asked) if len(asked.points) else None,
            bounds=volume_bounds(body),
            triangles=body.triangles if asked.surface is None else None,
            pressure_deviation=q * deviation,
            notes=self.notes(asked),
        )

    def notes(self, asked: Asked) -> tuple[str, ...]:
        """What was noticed about the geometry, and doubts about the answer."""
        notes = list(asked.body.notes)
        if not asked.body.is_symmetric:
            notes.append("each half was predicted as if the other were its mirror image")
        low, high = FAMILIAR_SPEEDS
        if not low <= asked.stream.speed <= high:
            notes.append(f"the training cars drove at {low:g} to {high:g} m/s")
        if self.calibration.distance(asked.description) > 1:
            notes.append("the geometry is unlike the training cars: the intervals do not hold")
        return tuple(notes)


def encoded_half(half: Surface, side: int) -> Tensors:
    """The splats of a half body, and the cells that it is encoded from."""
    pyramid = splat(half)
    anchors = evenly(half, ANCHORS)
    tensors = {
        f"half{side}_points": anchors.centers,
        f"half{side}_normals": anchors.normals,
        f"half{side}_weights": anchors.areas,
    }
    for level, (grid, origin) in enumerate(zip(pyramid.grids, pyramid.origins, strict=True)):
        tensors |= {f"half{side}_grid{level}": grid, f"half{side}_origin{level}": origin}
    return tensors


def evenly(cells: Surface, count: int) -> Surface:
    """Cells drawn in proportion to their areas, by a fixed systematic draw along x.

    Args:
        cells: To draw from.
        count: How many; all of them if there are no more.
    """
    if len(cells) <= count:
        return cells
    order = cells.centers[:, 0].argsort(stable=True)
    share = cells.areas[order].double().cumsum(0)
    marks = (torch.arange(count, dtype=torch.float64) + 0.5) / count * share[-1]
    chosen = cells[order[torch.searchsorted(share, marks).clamp_max(len(cells) - 1)]]
    # Each stands for the same area now.
    return Surface(chosen.centers, chosen.normals, torch.full((count,), float(share[-1]) / count))


def asked_surface(request: CarRequest) -> Surface | None:
    """The cells that fields are wanted at, if not the geometry's triangles."""
    if isinstance(request.cells, Path):
        found = boundary_geometry(read_vtp(request.cells, arrays=()))
        parts = (found.centers, found.normals, found.areas)
        return Surface(*(torch.from_numpy(part.astype(np.float32)) for part in parts))
    return request.cells


def asked_points(request: CarRequest, body: Body) -> Float[Tensor, "n 3"]:
    """The points of the flow that are wanted, m: those given, or random ones outside of the body.

    Raises:
        ValueError: If the given array has another shape, or is not finite.
    """
    if request.points is None:
        low, high = volume_bounds(body)
        rng = torch.Generator().manual_seed(request.seed)
        return low + (high - low) * torch.rand(request.volume_points, 3, generator=rng)
    given = request.points
    array = np.load(given, allow_pickle=False) if isinstance(given, Path) else np.asarray(given)
    if array.ndim != 2 or array.shape[1] != 3 or not np.isfinite(array).all():
        raise ValueError(
            f"points of the flow must be finite and of shape (n, 3), got {array.shape}"
        )
    return torch.from_numpy(array.astype(np.float32))


def away_from(
    body: Body, halves: list[Surface], points: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
    """Signed distance from the body, in lengths, and the direction in which it grows."""
    signs = torch.where(points[:, 1] < 0, -1.0, 1.0)
    flip = torch.stack([torch.ones_like(signs), signs, torch.ones_like(signs)], 1)
    scaled = body.frame.scaled(points * flip)
    gaps, away = torch.empty(len(points)), torch.empty(len(points), 3)
    for side, half in enumerate(halves):
        mine = torch.nonzero((signs < 0) == side).squeeze(1) if len(halves) > 1 else slice(None)
        gaps[mine], away[mine] = distance(half, scaled[mine])
    return gaps, away * flip


def volume_bounds(body: Body) -> Float[Tensor, "2 3"]:
    """The box that the training points of the flow lie in, m."""
    frame = body.frame
    return torch.tensor(VOLUME_BOX) * frame.length + torch.tensor([frame.nose, 0, frame.ground])


def member_loads(outputs: Tensors, asked: Asked, index: int) -> Loads:
    """The loads of one member of the ensemble."""
    length, q = asked.body.frame.length, asked.stream.dynamic_pressure
    force = outputs["force"][index] * q * length**2
    # From the nose on the ground to the wanted point: M' = M - (r' - r) x F.
    nose = torch.tensor([asked.body.frame.nose, 0.0, asked.body.frame.ground]).double()
    moment = outputs["moment"][index] * q * length**3
    moment = moment - torch.linalg.cross(asked.center - nose, force)
    return Loads(
        force, moment, asked.stream, asked.reference_area, asked.reference_length, asked.center
    )


def triangle_fields(body: Body, outputs: Tensors) -> tuple[Surface, Tensor, Tensor]:
    """Fields of the geometry's triangles: means over their wetted cells, 0 where there are none."""
    parents = torch.from_numpy(body.parents)
    count = len(body.triangles)
    area = torch.zeros(count).index_add(0, parents, body.cells.areas)
    values = torch.cat([outputs["cells"], outputs["cells_deviation"][:, None]], 1)
    sums = torch.zeros(count, 5).index_add(0, parents, values * body.cells.areas[:, None])
    means = sums / area.clamp_min(1e-20)[:, None]
    surface = triangle_surface(torch.from_numpy(body.triangles))
    return surface, means[:, :4], means[:, 4]


def volume_answer(outputs: Tensors, asked: Asked) -> VolumeFields:
    """The flow in SI units. Inside of the body there is none: velocities are 0 there."""
    stream, flow = asked.stream, outputs["flow"]
    outside = (asked.gaps > 0)[:, None]
    return VolumeFields(
        points=asked.points,
        velocity=stream.speed * flow[:, :3] * outside,
        pressure=stream.dynamic_pressure * flow[:, 3],
        viscosity=stream.speed * asked.body.frame.length * 10 ** flow[:, 4],
        turbulent_energy=stream.speed**2 * 10 ** flow[:, 5],
        distance=asked.gaps,
    )


def bands(
    loads: Loads, members: list[Loads], calibration: Calibration
) -> dict[str, tuple[Interval, ...]]:
    """Intervals of coefficients, and of the forces and moments that belong to them."""
    scale = loads.stream.dynamic_pressure * loads.reference_area
    units = {
        "cd": ("drag", scale),
        "cl": ("lift", scale),
        "clf": ("front_lift", scale),
        "clr": ("rear_lift", scale),
        "cm_pitch": ("pitch_moment", scale * loads.reference_length),
    }
    found: dict[str, tuple[Interval, ...]] = {}
    for name in calibration.residuals:
        spread = float(np.std([member.coefficients[name] for member in members]))
        found[name] = calibration.bands(name, loads.coefficients[name], spread)
        force, unit = units[name]
        found[force] = tuple((low * unit, high * unit) for low, high in found[name])
    return found
