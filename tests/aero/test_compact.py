import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from flows import record

from ansatz.aero.cfd.flow import FlowSolution
from ansatz.aero.coarsen import Faces, merge_faces, merge_labels
from ansatz.aero.compact import pack, read_meta, unpack
from ansatz.aero.forces import cell_forces
from ansatz.aero.quantize import (
    from_grid,
    from_octahedron,
    round_significand,
    to_grid,
    to_octahedron,
)


def ellipsoid(rng, count=4000, points=3000):
    """A smooth flow on an ellipsoid of about a car's size."""
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    centers = normals * [2.2, 0.9, 0.7] + [2.2, 0.0, 0.8]
    downstream = np.array([1.0, 0.0, 0.0])
    fields = {
        # No corners: they are not packed.
        "points": np.zeros((0, 3)),
        "centers": centers,
        "normals": normals,
        "areas": rng.uniform(0.5, 1.5, count) * 12 / count,
        "cp": 1 - 2.25 * (1 - normals[:, 0] ** 2) + 0.3 * np.sin(3 * centers[:, 0]),
        "cf": 0.004 * (downstream - normals[:, :1] * normals),
        "volume_points": rng.uniform([-2, 0, 0], [8, 2, 3], (points, 3)),
        "u": downstream + 0.1 * rng.normal(size=(points, 3)),
        "volume_cp": 0.1 * rng.normal(size=points),
        "nut": rng.lognormal(-8, 1, points),
        "k": rng.lognormal(-6, 1, points),
    }
    single = {name: array.astype(np.float32) for name, array in fields.items()}
    none = np.zeros(0, np.int64)
    return FlowSolution(connectivity=none, offsets=none, record=record(speed=31.0), **single)


@pytest.fixture
def flow():
    return ellipsoid(np.random.default_rng(7))


@pytest.fixture
def packed(flow, tmp_path):
    return pack(flow, tmp_path / "car_7.npz", {"number": 7}, faces=1500, volume=500)


def test_packing_keeps_the_force(flow, packed):
    names = ("surface_normal", "surface_area", "cp", "cf")
    arrays = (torch.from_numpy(unpack(packed)[name]) for name in names)
    vectors = flow.normals.astype(np.float64) * flow.areas[:, None]
    force = (flow.cf * flow.areas[:, None]).sum(axis=0) - flow.cp @ vectors
    np.testing.assert_allclose(cell_forces(*arrays).sum(0), force, atol=1e-3)


def test_friction_of_a_packed_case_points_downstream(packed):
    arrays = unpack(packed)
    assert (arrays["cf"][:, 0] >= 0).all()
    assert np.sum(arrays["cf"][:, 0] * arrays["surface_area"]) > 0


def test_merged_faces_stay_near_the_faces_they_stand_for(flow, packed):
    arrays = unpack(packed)
    assert len(arrays["cp"]) == 1500
    distance = np.linalg.norm(flow.centers[:, None] - arrays["surface_xyz"], axis=2)
    nearest = distance.argmin(axis=1)
    assert distance.min(axis=1).max() < 0.3
    assert np.abs(arrays["cp"][nearest] - flow.cp).mean() < 0.05
    assert (arrays["surface_normal"][nearest] * flow.normals).sum(axis=1).min() > 0.9


def test_volume_points_keep_their_own_values(flow, packed):
    arrays = unpack(packed)
    assert len(arrays["u"]) == 500
    distance = np.linalg.norm(flow.volume_points[:, None] - arrays["volume_xyz"], axis=2)
    index, point = distance.argmin(axis=0), distance.min(axis=0)
    assert point.max() < 1e-3
    np.testing.assert_allclose(arrays["u"], flow.u[index], rtol=4e-3)
    np.testing.assert_allclose(arrays["volume_cp"], flow.volume_cp[index], rtol=4e-3, atol=1e-6)
    np.testing.assert_allclose(arrays["nut"], flow.nut[index], rtol=2e-2, atol=1e-7)
    np.testing.assert_allclose(arrays["k"], flow.k[index], rtol=2e-2)


def test_the_record_survives_with_what_is_known_beside_it(flow, packed):
    meta = read_meta(packed)
    assert meta.pop("number") == 7
    assert meta == json.loads(json.dumps(vars(flow.record)))
    assert meta["coefficients"]["Cd"] == [0.3, 0.01]


def test_a_case_with_few_faces_keeps_them_all(flow, tmp_path):
    names = ("centers", "normals", "areas", "cp", "cf")
    few = replace(flow, **{name: getattr(flow, name)[:40] for name in names})
    arrays = unpack(pack(few, tmp_path / "out.npz", {}))
    order = np.abs(arrays["surface_xyz"][:, None] - few.centers).sum(axis=2).argmin(axis=1)
    assert sorted(order) == list(range(40))
    np.testing.assert_allclose(arrays["surface_area"], few.areas[order], rtol=2e-3)


def test_merging_keeps_the_force_of_a_uniform_pressure_and_of_friction():
    rng = np.random.default_rng(3)
    faces = Faces(
        centers=rng.normal(size=(300, 3)),
        vectors=rng.normal(size=(300, 3)),
        wet=rng.uniform(1, 2, 300),
        cp=np.full(300, 0.7),
        friction=rng.normal(size=(300, 3)),
    )
    labels = merge_labels(faces, 60)
    assert len(np.unique(labels)) == 60
    merged = merge_faces(faces, labels)
    np.testing.assert_allclose(merged.force(), faces.force(), atol=1e-10)
    np.testing.assert_allclose(merged.cp, 0.7)
    np.testing.assert_allclose(merged.wet.sum(), faces.wet.sum())


def test_two_bytes_hold_a_direction_to_within_a_degree():
    normals = np.random.default_rng(1).normal(size=(5000, 3))
    normals = np.concatenate([normals, np.eye(3), -np.eye(3)])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    again = from_octahedron(to_octahedron(normals))
    np.testing.assert_allclose(np.linalg.norm(again, axis=1), 1)
    angles = np.degrees(np.arccos(np.clip((again * normals).sum(axis=1), -1, 1)))
    assert angles.max() < 1.0
    np.testing.assert_allclose(again[-6:], normals[-6:], atol=1e-12)


def test_a_grid_moves_points_by_less_than_half_a_step():
    points = np.random.default_rng(2).uniform([-1, 0, 0], [4, 2, 1.5], (1000, 3))
    grid, box = to_grid(points)
    assert np.abs(from_grid(grid, box) - points).max() <= 0.5 * box[3] * (1 + 1e-9)
    assert box[3] < 5 / 16_000


def test_rounding_is_relative_and_without_bias():
    values = np.random.default_rng(4).uniform(0.5, 2.0, 20_000)
    rounded = round_significand(values, 6).astype(np.float64)
    assert np.abs(rounded / values - 1).max() <= 2**-7
    assert abs(rounded.mean() - values.mean()) < 1e-4
    assert round_significand(np.array([0.0]), 5) == 0


def test_a_case_that_is_not_packed_is_refused(flow, tmp_path):
    np.savez(tmp_path / "full.npz", **flow.arrays())
    with pytest.raises(ValueError, match="not a case"):
        unpack(tmp_path / "full.npz")
