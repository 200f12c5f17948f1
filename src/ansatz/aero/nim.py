"""The dialect of NVIDIA's DoMINO Automotive-Aero NIM, so that its clients need another URL only.

Routes, form fields and the names and shapes of the arrays are those that clients of versions 1
and 2 rely on. Two conventions differ from ours and are translated here and nowhere else
(`surface_fields`, `volume_fields`): the NIM's fields are divided by the density, and its wall
shear stress has the sign of OpenFOAM, against the flow. Drag and lift are in N at the density of
the request, whose default of 1 kg/m³ makes them equal to the integrals of the kinematic fields.

Source: the client of NVIDIA/physicsnemo-cfd (physicsnemo/cfd/evaluation/nims/domino_nim.py), the
outputs of its notebooks against version 2, and the NIM's API reference.
"""

import difflib
import json
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray
from torch import Tensor

from ansatz.aero.car import CarAnswer, CarRequest
from ansatz.aero.question import flow_points
from ansatz.server.dialect import Arrays, Body, Dialect, Form
from ansatz.server.fields import form_fields, read_request

Float32 = NDArray[np.float32]
ROUTES = ("/v1/infer", "/v1/infer/surface", "/v1/infer/volume")
DEFAULT_POINTS = 10_000
# Version 1 wrote these with hyphens, version 2 writes them with underscores.
RENAMED = ("wall_shear_stress", "turbulent_kinetic_energy", "turbulent_viscosity")

DOCUMENTATION = """
Compatible with the DoMINO Automotive-Aero NIM: answers with an npz archive. Pressure and wall
shear stress are kinematic (Pa at 1 kg/m³), and the shear points against the flow, as OpenFOAM's;
drag_force and lift_force are in N at air_density. stencil_size and batch_size are accepted and
change nothing: this model has no stencil, and no need to be run in pieces. Beyond the NIM's
arrays there are side_force, moment (roll, pitch, yaw; N m) about moment_center (m), the
coefficients cd, cl, cs, clf, clr, cm_roll, cm_pitch and cm_yaw with their reference_area,
reference_length, density and stream_velocity, interval_NAME (nine cases in ten),
std_pressure_surface, ood_score, and checks: bytes of JSON with what was noticed about the geometry
and the request.
"""


@dataclass(frozen=True)
class DominoForm:
    """The fields of the form.

    Attributes:
        design_stl: The geometry.
        stream_velocity: m/s, along +x.
        stencil_size: Accepted, without effect.
        point_cloud_size: Number of random points of the volume.
        point_cloud: Points of the volume instead, shape (n, 3), m.
        batch_size: Accepted, without effect.
        air_density: kg/m³; not a field of the NIM, and neither are those below.
        reference_area: m²; the frontal area if not given.
        reference_length: m; the wheelbase if not given.
        units: Of the geometry.
        seed: Of the random points.
        spelling: Of the arrays that have two names.
    """

    design_stl: bytes
    stream_velocity: Annotated[float, Gt(0), Le(150)] = 40.0
    stencil_size: Annotated[int, Ge(1)] = 1
    point_cloud_size: Annotated[int, Ge(1), Le(20_000_000)] | None = None
    point_cloud: np.ndarray | None = None
    batch_size: Annotated[int, Ge(1)] = 1
    air_density: Annotated[float, Gt(0), Le(100)] = 1.0
    reference_area: Annotated[float, Gt(0)] | None = None
    reference_length: Annotated[float, Gt(0)] | None = None
    units: Literal["auto", "m", "mm"] = "auto"
    seed: Annotated[int, Ge(0)] = 0
    spelling: Literal["both", "underscore", "hyphen"] = "both"


FIELDS = form_fields(DominoForm)
NAMES = tuple(field.name for field in fields(DominoForm))


def decode(form: Form) -> CarRequest:
    """Read a DoMINO form.

    Args:
        form: What a client of the NIM sends.

    Returns:
        The question; without points of the volume on the route of the surface.

    Raises:
        ValueError: If a field is missing, misspelled, out of range, or excludes another.
    """
    asked = _read(form)
    points, count = asked.point_cloud, asked.point_cloud_size
    if points is not None and count is not None:
        raise ValueError("send point_cloud or point_cloud_size, not both")
    if points is not None:
        try:
            points = flow_points(points).numpy()
        except ValueError as error:
            raise ValueError(f"point_cloud: {error}") from error
        if not len(points):
            raise ValueError("point_cloud holds no points: leave it out, or send some")
    with_volume = not form.path.endswith("/surface")
    random = with_volume and points is None
    return CarRequest(
        geometry=asked.design_stl,
        speed=asked.stream_velocity,
        density=asked.air_density,
        reference_area=asked.reference_area,
        reference_length=asked.reference_length,
        units=asked.units,
        volume_points=(count or DEFAULT_POINTS) if random else 0,
        points=points if with_volume else None,
        seed=asked.seed,
    )


def _read(form: Form) -> DominoForm:
    """The typed form; fields that other versions of the NIM may have are ignored."""
    extra = ignored(form)
    texts = {name: text for name, text in form.texts.items() if name not in extra}
    files = {name: data for name, data in form.files.items() if name not in extra}
    return read_request(replace(form, texts=texts, files=files), DominoForm, FIELDS)


def ignored(form: Form) -> list[str]:
    """Fields that are not known and not misspelled either."""
    strange = [name for name in (*form.texts, *form.files) if name not in NAMES]
    return [name for name in strange if not difflib.get_close_matches(name, NAMES, 1, 0.75)]


def encode(answer: CarAnswer, request: CarRequest, form: Form) -> Body:
    """Write an answer as the NIM's archive.

    Args:
        answer: Of the model.
        request: What was asked.
        form: The same, as it came; gives route and spelling.

    Returns:
        float32 fields with a leading batch axis of one, and numbers without axes.
    """
    named: dict[str, Tensor] = {}
    if not form.path.endswith("/volume"):
        named |= surface_fields(answer)
    if not form.path.endswith("/surface"):
        named |= volume_fields(answer)
    arrays = {name: _batch(values) for name, values in named.items()}
    spelling = form.texts.get("spelling", "").strip() or "both"
    doubts = _doubts(answer, ignored(form))
    return Arrays({**respelled(arrays, spelling), **forces(answer), **doubts})


def surface_fields(answer: CarAnswer) -> dict[str, Tensor]:
    """Fields on the surface, by the NIM's names."""
    fields = {
        "surface_coordinates": answer.surface.centers,
        "pressure_surface": _kinematic(answer, answer.pressure),
        "wall_shear_stress": -_kinematic(answer, answer.shear),
    }
    if answer.pressure_deviation is not None:
        fields["std_pressure_surface"] = _kinematic(answer, answer.pressure_deviation)
    return fields


def volume_fields(answer: CarAnswer) -> dict[str, Tensor]:
    """Fields of the volume, by the NIM's names; none if none were asked for."""
    volume = answer.volume
    if volume is None:
        return {}
    fields = {
        "coordinates": volume.points,
        "velocity": volume.velocity,
        "pressure": _kinematic(answer, volume.pressure),
        "turbulent_kinetic_energy": volume.turbulent_energy,
        "turbulent_viscosity": volume.viscosity,
        "sdf": volume.distance,
    }
    return fields if answer.bounds is None else fields | {"bounding_box_dims": answer.bounds}


def _kinematic(answer: CarAnswer, stress: Tensor) -> Tensor:
    """A pressure or stress of ours as the NIM writes it: divided by the density."""
    return stress / answer.loads.stream.density


def respelled(arrays: dict[str, Float32], spelling: str) -> dict[str, Float32]:
    """The arrays by the names of version 2 (`underscore`), of version 1 (`hyphen`), or `both`."""
    old = {name.replace("_", "-"): arrays[name] for name in RENAMED if name in arrays}
    kept = {name: a for name, a in arrays.items() if spelling != "hyphen" or name not in RENAMED}
    return kept | (old if spelling != "underscore" else {})


def forces(answer: CarAnswer) -> dict[str, Float32]:
    """Forces and coefficients with all that they refer to; each number has no axis, vectors one."""
    loads = answer.loads
    drag, side, lift = loads.force.tolist()
    numbers = loads.coefficients | {
        "drag_force": drag,
        "side_force": side,
        "lift_force": lift,
        "reference_area": loads.reference_area,
        "reference_length": loads.reference_length,
        "density": loads.stream.density,
        "stream_velocity": loads.stream.speed,
    }
    arrays = {name: np.asarray(value, np.float32) for name, value in numbers.items()}
    vectors = {"moment": loads.moment, "moment_center": loads.center}
    return arrays | {name: vector.float().numpy() for name, vector in vectors.items()}


def _doubts(answer: CarAnswer, strangers: list[str]) -> dict[str, NDArray[Any]]:
    """Intervals, the distance from what the model knows, and notes as bytes of JSON."""
    notes = [
        *answer.notes,
        *(f"the field {name!r} is not known and was ignored" for name in strangers),
    ]
    checks = json.dumps({"notes": notes, "ood_score": answer.ood_score}).encode()
    intervals = {
        f"interval_{name}": np.asarray(ends, np.float32) for name, ends in answer.intervals.items()
    }
    return {
        **intervals,
        "ood_score": np.asarray(answer.ood_score, np.float32),
        "checks": np.frombuffer(checks, np.uint8),
    }


def _batch(values: Tensor) -> Float32:
    """A field of shape (n,) or (n, k) as the NIM's (1, n, 1) or (1, n, k)."""
    array: Float32 = values.detach().cpu().float().reshape(1, len(values), -1).numpy()
    return array


DOMINO = Dialect(
    name="domino",
    routes=ROUTES,
    decode=decode,
    encode=encode,
    form=DominoForm,
    documentation=DOCUMENTATION,
)
