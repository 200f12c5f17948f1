"""A client written for the DoMINO NIM, unchanged, against a server with a box that is a car.

The stand-in for a network knows the flow exactly: Cp is 1 on the front of the box, -0.2 on its top
and 0 elsewhere, and Cf is 0.01 along its sides.
"""

import csv
import io
import json
import re
from dataclasses import dataclass

import httpx
import numpy as np
import pytest
import torch

from ansatz.aero.car import CarAnswer, CarRequest, VolumeFields
from ansatz.aero.forces import surface_loads
from ansatz.aero.nim import DOMINO, ROUTES, decode, ignored
from ansatz.aero.stream import FreeStream
from ansatz.aero.surface import triangle_surface
from ansatz.core.recipe import Encoded
from ansatz.server.client import Client
from ansatz.server.dialect import Form
from ansatz.server.process import running
from ansatz.server.service import Service

LENGTH, WIDTH, HEIGHT = 4.0, 1.8, 1.4
BOUNDS = torch.tensor([[-3.5, -2.25, -0.32], [8.5, 2.25, 3.0]])
NIM_KEYS = {
    "surface": {
        "surface_coordinates": (1, 12, 3),
        "pressure_surface": (1, 12, 1),
        "wall_shear_stress": (1, 12, 3),
        "drag_force": (),
        "lift_force": (),
    },
    "volume": {
        "coordinates": (1, 50, 3),
        "velocity": (1, 50, 3),
        "pressure": (1, 50, 1),
        "turbulent_kinetic_energy": (1, 50, 1),
        "turbulent_viscosity": (1, 50, 1),
        "sdf": (1, 50, 1),
        "bounding_box_dims": (1, 2, 3),
    },
}


def box_triangles():
    """Twelve triangles, counter-clockwise as seen from outside."""
    corner = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    halves = [part for a, b, c, d in faces for part in ((a, b, c), (a, c, d))]
    return (corner * np.float32([LENGTH, WIDTH, HEIGHT]))[np.array(halves)]


def stl_bytes(triangles):
    record = np.zeros(len(triangles), np.dtype([("n", "<3f4"), ("v", "<9f4"), ("a", "<u2")]))
    record["v"] = triangles.reshape(-1, 9)
    return bytes(80) + np.uint32(len(triangles)).tobytes() + record.tobytes()


@dataclass(frozen=True)
class BoxFlow:
    """A predictor with the types of a car."""

    def encode(self, request):
        record = np.dtype([("n", "<3f4"), ("v", "<9f4"), ("a", "<u2")])
        body = np.frombuffer(request.geometry, record, offset=84)
        surface = triangle_surface(torch.from_numpy(body["v"].reshape(-1, 3, 3).copy()))
        open_area = (surface.normals * surface.areas[:, None]).sum(0).norm()
        if open_area > 1e-3:
            raise ValueError(f"the geometry has a hole of {open_area:.2f} m²; close it")
        rng = torch.Generator().manual_seed(request.seed)
        random = torch.rand((request.volume_points, 3), generator=rng)
        points = BOUNDS[0] + random * (BOUNDS[1] - BOUNDS[0])
        if request.points is not None:
            points = torch.as_tensor(np.array(request.points)).float()
        return Encoded({"corners": torch.from_numpy(body["v"].copy()), "points": points}, request)

    def forward(self, tensors):
        normals = triangle_surface(tensors["corners"].reshape(-1, 3, 3)).normals
        side = (normals[:, 0].abs() < 0.5).float()
        along = torch.tensor([1.0, 0.0, 0.0])
        pressure = (normals[:, 0] < -0.5).float() - 0.2 * (normals[:, 2] > 0.5).float()
        return tensors | {"cp": pressure, "cf": 0.01 * side[:, None] * along}

    def decode(self, tensors, encoded):
        request = encoded.context
        stream = FreeStream(request.speed, request.density)
        q = stream.dynamic_pressure
        surface = triangle_surface(tensors["corners"].reshape(-1, 3, 3))
        loads = surface_loads(
            surface,
            q * tensors["cp"],
            q * tensors["cf"],
            stream=stream,
            reference_area=request.reference_area or WIDTH * HEIGHT,
            reference_length=LENGTH,
            center=torch.zeros(3),
        )
        points = tensors["points"]
        ones = torch.ones(len(points))
        volume = VolumeFields(points, points * 2, q * ones, 3 * ones, 4 * ones, 5 * ones)
        return CarAnswer(
            surface,
            q * tensors["cp"],
            q * tensors["cf"],
            loads,
            bands={"cd": ((1.0, 1.2), (0.9, 1.3))},
            ood_score=0.5,
            volume=volume if len(points) else None,
            bounds=BOUNDS,
            notes=("units: m",),
        )


@pytest.fixture(scope="module")
def url():
    service = Service("aero/box", "1", BoxFlow(), CarRequest, dialects=(DOMINO,))
    with running(service) as url:
        Client(url).wait_ready()
        yield url


def ask(url, route="/v1/infer", geometry=None, files=None, **fields):
    geometry = stl_bytes(box_triangles()) if geometry is None else geometry
    files = {"design_stl": ("car.stl", geometry), **(files or {})}
    return httpx.post(url + route, files=files, data=fields, timeout=60)


def answer(url, route="/v1/infer", **fields):
    reply = ask(url, route, **fields)
    assert reply.status_code == 200, reply.text
    return np.load(io.BytesIO(reply.content))


def exact(speed, density):
    """Drag and lift of the box, N."""
    q = 0.5 * density * speed**2
    sides = 2 * LENGTH * (WIDTH + HEIGHT)
    return q * (WIDTH * HEIGHT + 0.01 * sides), q * 0.2 * LENGTH * WIDTH


def test_a_client_of_the_nim_runs_unchanged_over_a_folder(url, tmp_path, capsys):
    for number in (1, 2):
        (tmp_path / f"car_{number}.stl").write_bytes(stl_bytes(box_triangles()))
    speed, area = 38.89, WIDTH * HEIGHT
    with httpx.Client(base_url=url) as http, (tmp_path / "out.csv").open("w") as table:
        assert http.get("/v1/health/ready").json()["status"] == "ready"
        rows = csv.writer(table)
        for path in sorted(tmp_path.glob("*.stl")):
            with path.open("rb") as file:
                reply = http.post(
                    "/v1/infer/surface",
                    files={"design_stl": (path.name, file)},
                    data={
                        "stream_velocity": "38.89",
                        "stencil_size": "1",
                        "point_cloud_size": "500",
                    },
                )
            reply.raise_for_status()
            out = np.load(io.BytesIO(reply.content))
            drag, lift = out["drag_force"], out["lift_force"]
            print(f"{path.stem}: drag {drag:.4f} N, lift {lift:.4f} N")
            q = 0.5 * 1.0 * speed**2
            rows.writerow([path.stem, drag.item() / (q * area), lift.item() / (q * area)])

    drag, lift = exact(speed, 1.0)
    printed = re.findall(r"drag (\d+\.\d{4}) N, lift (\d+\.\d{4}) N", capsys.readouterr().out)
    np.testing.assert_allclose(np.array(printed, float), [(drag, lift)] * 2, rtol=1e-6)
    table = list(csv.reader((tmp_path / "out.csv").open()))
    assert [row[0] for row in table] == ["car_1", "car_2"]
    np.testing.assert_allclose(float(table[1][1]), 1 + 0.02 * LENGTH * 3.2 / area, rtol=1e-6)
    np.testing.assert_allclose(float(table[1][2]), 0.2 * LENGTH / HEIGHT, rtol=1e-6)


@pytest.mark.parametrize("half", ["surface", "volume"])
def test_each_route_has_its_half_of_the_arrays_and_infer_has_both(url, half):
    part = answer(url, f"/v1/infer/{half}", point_cloud_size="50")
    whole = answer(url, point_cloud_size="50")
    other = NIM_KEYS["volume" if half == "surface" else "surface"].keys() - {
        "drag_force",
        "lift_force",
    }
    for name, shape in NIM_KEYS[half].items():
        assert part[name].shape == whole[name].shape == shape
        assert part[name].dtype == np.float32
    assert not other & set(part.files)


def test_shear_points_against_the_flow_and_fields_do_not_know_the_density(url):
    thin, thick = (answer(url, air_density=rho, point_cloud_size="5") for rho in ("1", "1.225"))

    q = 0.5 * 40.0**2
    shear = thick["wall_shear_stress"]
    assert shear[..., 0].min() == pytest.approx(-0.01 * q)
    assert shear.max() == 0.0
    assert thick["pressure_surface"].max() == pytest.approx(q)
    for name in ("wall_shear_stress", "pressure_surface", "pressure"):
        np.testing.assert_allclose(thin[name], thick[name], rtol=1e-6)
    assert thick["drag_force"] / thin["drag_force"] == pytest.approx(1.225)


def test_drag_is_what_the_nims_fields_integrate_to_in_its_own_convention(url):
    out = answer(url, "/v1/infer/surface")
    surface = triangle_surface(torch.from_numpy(box_triangles()))
    into, areas = -surface.normals.numpy(), surface.areas.numpy()

    # As NVIDIA's notebook does it: drag = sum(p n A) - sum(tau A), n into the body.
    pressure = (out["pressure_surface"][0, :, 0] * into[:, 0] * areas).sum()
    friction = (out["wall_shear_stress"][0, :, 0] * areas).sum()
    np.testing.assert_allclose(pressure - friction, out["drag_force"], rtol=1e-6)
    np.testing.assert_allclose(out["drag_force"], exact(40.0, 1.0)[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("spelling", "present", "absent"),
    [
        ("underscore", "wall_shear_stress", "wall-shear-stress"),
        ("hyphen", "turbulent-kinetic-energy", "turbulent_kinetic_energy"),
    ],
)
def test_one_spelling_can_be_asked_for(url, spelling, present, absent):
    out = answer(url, spelling=spelling, point_cloud_size="5")

    assert present in out.files
    assert absent not in out.files


def test_both_spellings_are_the_same_arrays(url):
    out = answer(url, point_cloud_size="5")

    for name in ("wall_shear_stress", "turbulent_kinetic_energy", "turbulent_viscosity"):
        np.testing.assert_array_equal(out[name], out[name.replace("_", "-")])


def test_the_answer_says_what_its_numbers_refer_to(url):
    out = answer(url, "/v1/infer/surface", reference_area="2.0", air_density="1.2", gpu_count="1")

    q = 0.5 * 1.2 * 40.0**2
    assert out["cd"] == pytest.approx(out["drag_force"] / (q * 2.0))
    assert out["clf"] + out["clr"] == pytest.approx(out["cl"], abs=1e-6)
    assert out["side_force"] == pytest.approx(0.0, abs=1e-3)
    assert (out["reference_area"], out["density"], out["stream_velocity"]) == (
        2.0,
        np.float32(1.2),
        40.0,
    )
    assert out["moment"].shape == (3,)
    np.testing.assert_array_equal(out["moment_center"], np.zeros(3, np.float32))
    np.testing.assert_allclose(out["interval_cd"], [0.9, 1.3], rtol=1e-6)
    checks = json.loads(out["checks"].tobytes())
    assert checks["notes"] == ["units: m", "the field 'gpu_count' is not known and was ignored"]
    assert checks["ood_score"] == out["ood_score"] == 0.5


def test_points_of_the_clients_choice_are_answered_in_order(url):
    points = np.random.default_rng(0).random((7, 3))
    buffer = io.BytesIO()
    np.save(buffer, points)
    out = answer(url, "/v1/infer/volume", files={"point_cloud": ("p.npy", buffer.getvalue())})

    np.testing.assert_allclose(out["coordinates"][0], points, rtol=1e-6)
    np.testing.assert_allclose(out["velocity"][0], 2 * points, rtol=1e-6)


def test_the_same_seed_gives_the_same_points_and_another_others(url):
    def points(seed):
        return answer(url, "/v1/infer/volume", point_cloud_size="9", seed=seed)["coordinates"]

    np.testing.assert_array_equal(points("1"), points("1"))
    assert (points("1") != points("2")).any()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return ("p.npy", buffer.getvalue())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"stream_velocity": "fast"}, "stream_velocity"),
        ({"stream_velocity": "-3"}, "stream_velocity: input should be greater than 0"),
        ({"stream_velosity": "30"}, "did you mean 'stream_velocity'"),
        ({"stencil_size": "0"}, "stencil_size"),
        ({"units": "inch"}, "units: input should be 'auto', 'm' or 'mm'"),
        ({"point_cloud_size": "5", "files": {"point_cloud": npy(np.zeros((2, 3)))}}, "not both"),
        ({"files": {"point_cloud": npy(np.zeros((2, 2)))}}, "shape (n, 3)"),
        ({"files": {"point_cloud": npy(np.zeros((0, 3)))}}, "point_cloud holds no points"),
        ({"files": {"point_cloud": npy(np.array([list("abc")]))}}, "point_cloud: points of"),
        ({"files": {"point_cloud": npy(np.full((2, 3), np.nan))}}, "not finite"),
        ({"files": {"point_cloud": npy(np.array([[None] * 3]))}}, "Python objects"),
        ({"geometry": b""}, "design_stl"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(url, fields, words):
    reply = ask(url, **fields)

    assert reply.status_code == 400
    assert words in reply.json()["message"]


def test_a_geometry_that_breaks_the_rules_is_refused_with_its_reason(url):
    reply = ask(url, geometry=stl_bytes(box_triangles()[2:]))

    assert reply.status_code == 422
    assert "hole of 2.52 m²; close it" in reply.json()["message"]


def test_the_surface_route_asks_for_no_volume():
    files = {"design_stl": b"x"}
    requests = [decode(Form({}, files, path)) for path in ROUTES]

    assert [request.volume_points for request in requests] == [10_000, 0, 10_000]


def test_a_field_of_another_version_is_ignored_and_a_misspelled_one_is_not():
    form = Form({"inference_mode": "x", "stencilsize": "1"}, {"design_stl": b"x"})

    assert ignored(form) == ["inference_mode"]
    with pytest.raises(ValueError, match="did you mean 'stencil_size'"):
        decode(form)
