import json

import numpy as np
import pytest

from ansatz.aero.coarsen import Faces, merge_faces, merge_labels
from ansatz.aero.compact import force_per_pressure, pack, read_meta, unpack
from ansatz.aero.quantize import (
    from_grid,
    from_octahedron,
    round_significand,
    to_grid,
    to_octahedron,
)


def ellipsoid(rng, count=4000):
    """A smooth flow on an ellipsoid of about a car's size, as a campaign collects it."""
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    centers = normals * [2.2, 0.9, 0.7] + [2.2, 0.0, 0.8]
    areas = rng.uniform(0.5, 1.5, count) * 12 / count
    downstream = np.array([1.0, 0.0, 0.0])
    along = downstream - normals[:, :1] * normals
    points = rng.uniform([-2, 0, 0], [8, 2, 3], (3000, 3))
    return {
        "surface_xyz": centers,
        "surface_normal": normals,
        "surface_area": areas,
        "surface_wet": areas,
        "cp": 1 - 2.25 * (1 - normals[:, 0] ** 2) + 0.3 * np.sin(3 * centers[:, 0]),
        "cf": -0.004 * along,
        "volume_xyz": points,
        "u": downstream + 0.1 * rng.normal(size=(3000, 3)),
        "vcp": 0.1 * rng.normal(size=3000),
        "nut": rng.lognormal(-8, 1, 3000),
        "k": rng.lognormal(-6, 1, 3000),
        "meta": np.array(json.dumps({"speed": 31.0, "coefficients": {"Cd": [0.3, 0.01]}})),
    }


@pytest.fixture
def case():
    return ellipsoid(np.random.default_rng(7))


@pytest.fixture
def packed(case, tmp_path):
    np.savez(tmp_path / "full.npz", **case)
    return pack(tmp_path / "full.npz", tmp_path / "car_7.npz", faces=1500, volume=500)


def test_packing_keeps_the_force(case, packed):
    vectors = case["surface_normal"] * case["surface_area"][:, None]
    friction = -(case["cf"] * case["surface_wet"][:, None]).sum(axis=0)
    force = friction - case["cp"] @ vectors
    np.testing.assert_allclose(force_per_pressure(unpack(packed)), force, atol=1e-3)


def test_friction_of_a_packed_case_points_downstream(packed):
    arrays = unpack(packed)
    assert (arrays["cf"][:, 0] >= 0).all()
    assert np.sum(arrays["cf"][:, 0] * arrays["surface_area"]) > 0


def test_merged_faces_stay_near_the_faces_they_stand_for(case, packed):
    arrays = unpack(packed)
    assert len(arrays["cp"]) == 1500
    distance = np.linalg.norm(case["surface_xyz"][:, None] - arrays["surface_xyz"], axis=2)
    nearest = distance.argmin(axis=1)
    assert distance.min(axis=1).max() < 0.3
    assert np.abs(arrays["cp"][nearest] - case["cp"]).mean() < 0.05
    assert (arrays["surface_normal"][nearest] * case["surface_normal"]).sum(axis=1).min() > 0.9


def test_volume_points_keep_their_own_values(case, packed):
    arrays = unpack(packed)
    assert len(arrays["u"]) == 500
    distance = np.linalg.norm(case["volume_xyz"][:, None] - arrays["volume_xyz"], axis=2)
    index, point = distance.argmin(axis=0), distance.min(axis=0)
    assert point.max() < 1e-3
    np.testing.assert_allclose(arrays["u"], case["u"][index], rtol=4e-3)
    np.testing.assert_allclose(arrays["volume_cp"], case["vcp"][index], rtol=4e-3, atol=1e-6)
    np.testing.assert_allclose(arrays["nut"], case["nut"][index], rtol=2e-2, atol=1e-7)
    np.testing.assert_allclose(arrays["k"], case["k"][index], rtol=2e-2)


def test_a_case_without_turbulent_energy_is_packed_without_it(case, tmp_path):
    del case["k"]
    np.savez(tmp_path / "full.npz", **case)
    assert "k" not in unpack(pack(tmp_path / "full.npz", tmp_path / "out.npz"))


def test_the_meta_survives_and_takes_more(case, tmp_path, packed):
    assert read_meta(packed) == json.loads(str(case["meta"]))
    again = pack(tmp_path / "full.npz", tmp_path / "more.npz", extra={"cells": 250_000})
    assert read_meta(again)["cells"] == 250_000


def test_a_case_with_few_faces_keeps_them_all(case, tmp_path):
    few = {name: array[:40] if array.ndim else array for name, array in case.items()}
    np.savez(tmp_path / "few.npz", **few)
    arrays = unpack(pack(tmp_path / "few.npz", tmp_path / "out.npz"))
    order = np.abs(arrays["surface_xyz"][:, None] - few["surface_xyz"]).sum(axis=2).argmin(axis=1)
    assert sorted(order) == list(range(40))
    np.testing.assert_allclose(arrays["surface_area"], few["surface_area"][order], rtol=2e-3)


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


def test_a_case_without_friction_is_refused(case, tmp_path):
    del case["cf"]
    np.savez(tmp_path / "bad.npz", **case)
    with pytest.raises(ValueError, match="lacks cf"):
        pack(tmp_path / "bad.npz", tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_a_case_that_is_not_packed_is_refused(case, tmp_path):
    np.savez(tmp_path / "full.npz", **case)
    with pytest.raises(ValueError, match="not a case"):
        unpack(tmp_path / "full.npz")
