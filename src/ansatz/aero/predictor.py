"""From an STL file to forces and fields: the predictor of cars.

    encode   read, measure, cut into cells, fold onto halves, splat, choose anchors       (host)
    forward  features, slices, fields, and their integrals, member by member             (device)
    decode   units, coefficients, intervals, doubts                                       (host)

A body that is its own mirror image is evaluated once for both halves; of another one each half is
evaluated as if the other were its reflection, and a note says so.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ansatz.aero.body import Body, measure
from ansatz.aero.calibration import LEAST_CARS, Calibration, describe
from ansatz.aero.car import CarAnswer, CarRequest, Interval, VolumeFields
from ansatz.aero.evaluation import Tensors, evaluate
from ansatz.aero.folding import fold
from ansatz.aero.forces import Loads
from ansatz.aero.model import DominoEnsemble, held_in
from ansatz.aero.question import (
    Asked,
    asked_points,
    asked_surface,
    away_from,
    body_tensors,
    volume_bounds,
)
from ansatz.aero.stream import FreeStream
from ansatz.aero.surface import Surface, triangle_surface
from ansatz.core.recipe import Encoded
from ansatz.mesh.stl import read_stl

FAMILIAR_SPEEDS = (20.0, 50.0)  # m/s, of the training cars


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
            ValueError: If the geometry cannot be read or is no car's, or the points of the flow are
                not finite or of another shape.
            FileNotFoundError: If a file is not there.
        """
        body = measure(read_stl(request.geometry), request.units)
        stream = FreeStream(request.speed, request.density)
        halves = [body.half(side) for side in ((1,) if body.is_symmetric else (1, -1))]
        log_reynolds = float(np.log(stream.reynolds(body.frame.length) / 1e7))
        surface, points = asked_surface(request), asked_points(request, body)
        tensors = body_tensors(body, halves, log_reynolds)
        if surface is not None:
            tensors |= fold(body, surface.centers, surface.normals).tensors("asked")
        gaps, away = away_from(body, halves, points)
        if len(points):
            flow = fold(body, points, away)
            tensors |= flow.tensors("flow") | {"flow_gaps": gaps[flow.picks]}
        asked = Asked(
            body=body,
            stream=stream,
            surface=surface,
            points=points,
            gaps=gaps * body.frame.length,
            description=describe(halves[0], log_reynolds),
            reference_area=request.reference_area or body.frontal_area,
            reference_length=request.reference_length or body.reference_length,
            center=torch.tensor(body.moment_center, dtype=torch.float64),
            is_pictured=request.picture,
        )
        return Encoded(tensors, asked)

    def forward(self, tensors: Tensors) -> Tensors:
        """Evaluate the networks; see `ansatz.aero.evaluation`.

        Where a processor is to round products to bfloat16, networks held in bfloat16 compute. It
        takes a fifth less time than autocast, which rounds what goes into each product anew, for
        the same error of the fields: 0.2 % of their root mean square.
        """
        if not is_rounded_on_host(self.model):
            return evaluate(self.model, tensors)
        with torch.autocast("cpu", enabled=False):
            return evaluate(held_in(self.model, torch.bfloat16), tensors)

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
            is_pictured=asked.is_pictured,
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
        if not self.calibration.has_intervals:
            notes.append(
                f"no intervals: the model was calibrated with {self.calibration.num_cars} "
                f"validation cars, and {LEAST_CARS} are needed"
            )
        return tuple(notes)


def is_rounded_on_host(model: DominoEnsemble) -> bool:
    """Whether the networks are on a processor, and their products wanted in bfloat16."""
    return (
        not torch.compiler.is_compiling()  # a compiler rounds what it fuses
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") is torch.bfloat16
        and next(model.parameters()).device.type == "cpu"
    )


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
    values = torch.cat([outputs["cells"], outputs["cells_deviation"][:, None]], 1)
    areas = body.cells.areas.to(values)
    area = areas.new_zeros(count).index_add(0, parents, areas)
    sums = values.new_zeros(count, 5).index_add(0, parents, values * areas[:, None])
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
    """Intervals of coefficients, and of the forces and moments that belong to them.

    None if there were too few validation cars: an interval without ends says nothing.
    """
    if not calibration.has_intervals:
        return {}
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
