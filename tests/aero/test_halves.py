import numpy as np
import pytest
import torch
from torch import nn

from ansatz.aero.halves import (
    Draws,
    drawn_flow,
    half,
    half_batches,
    reflected,
    sides,
    stacked,
    strata,
)
from ansatz.aero.model import POINT_FEATURES, VOLUME_FEATURES
from ansatz.aero.thinning import along_curve
from ansatz.core.recipe import Position
from ansatz.store.samples import Store

DRAWS = Draws(anchors=32, surface=48, volume=16)


@pytest.fixture(scope="module")
def sample(store):
    samples = Store(store)
    return samples.load("car_1"), samples.meta("car_1")


def test_features_and_fields_belong_to_the_same_points(sample):
    arrays, meta = sample
    found = half(arrays, meta)
    assert found.surface.shape == (len(arrays["cp"]), POINT_FEATURES)
    assert found.volume.shape == (len(arrays["u"]), VOLUME_FEATURES)
    length = meta["frame"]["length"]
    order = along_curve(arrays["surface_xyz"])
    arrays = {name: arrays[name][order] for name in ("surface_xyz", "surface_normal", "cp")}
    # The first features are the position over the length, and the normal.
    np.testing.assert_allclose(found.surface[:, 3:6], arrays["surface_normal"], atol=1e-6)
    np.testing.assert_allclose(found.places[:, 1] * length, arrays["surface_xyz"][:, 1], atol=1e-5)
    np.testing.assert_array_equal(found.fields[:, 0], arrays["cp"])
    assert torch.isfinite(found.surface).all()
    assert torch.isfinite(found.volume).all()


def test_area_vectors_add_up_to_the_frontal_area(sample):
    found = half(*sample)
    # What looks upstream, seen from ahead: the shadow of a body that hides nothing behind others.
    ahead = -found.area_vectors[:, 0].clamp_max(0).sum()
    assert 2 * float(ahead) == pytest.approx(found.reference_area, rel=0.15)
    # Closed but for the symmetry plane and the road: nothing is left over along the flow.
    assert abs(float(found.area_vectors[:, 0].sum())) < 0.01 * found.reference_area


def test_a_whole_body_gives_a_batch_for_either_half(sample):
    arrays, meta = sample
    whole = {name: np.concatenate([a, reflected(a, -1)]) for name, a in arrays.items()}
    first, second = (half(side, meta) for side in sides(whole, {**meta, "is_half": False}))
    alone = half(arrays, meta)
    # Points on the plane of symmetry belong to one half only.
    assert len(first.fields) + len(second.fields) == 2 * len(alone.fields)
    torch.testing.assert_close(first.fields, alone.fields)
    torch.testing.assert_close(second.area_vectors[:, 0].sum(), first.area_vectors[:, 0].sum())
    assert second.places[:, 1].min() >= 0


def test_a_batch_depends_on_its_position_alone(store):
    draw = half_batches(store, "train", 2, DRAWS)
    first, again, other = (draw(Position(seed=1, step=step), nn.Identity()) for step in (5, 5, 6))
    for name, values in first.items():
        torch.testing.assert_close(values, again[name], rtol=0, atol=0, equal_nan=True)
    assert not torch.equal(first["fields"], other["fields"])
    assert first["anchors"].shape == (2, 32, POINT_FEATURES)
    assert first["fields"].shape == (2, 48, 4)
    assert first["flow"].shape == (2, 16, 6)


def test_what_was_drawn_together_belongs_together(store, sample):
    batch = half_batches(store, "train", 1, DRAWS)(Position(seed=0, step=0), nn.Identity())
    known = half(*sample)
    for place, field in zip(batch["places"][0], batch["fields"][0], strict=True):
        near = (known.places - place).abs().sum(1).argmin()
        assert torch.equal(known.fields[near], field)


def test_every_stratum_gives_one_point_and_every_point_is_as_likely():
    rng = np.random.default_rng(0)
    draws = torch.stack([strata(100, 25, rng) for _ in range(4000)])
    assert torch.equal(draws // 4, torch.arange(25).expand_as(draws))
    share = torch.bincount(draws.flatten(), minlength=100) / 4000
    # Four standard deviations of a binomial share of one quarter.
    assert (share - 0.25).abs().max() < 4 * np.sqrt(0.25 * 0.75 / 4000)


def test_forces_of_strata_scatter_less_than_those_of_independent_points(sample):
    body = half(*sample)
    pressure_drag = -body.fields[:, 0] * body.area_vectors[:, 0]
    rng, count = np.random.default_rng(0), 512
    scale = len(pressure_drag) / count
    total = len(pressure_drag)
    lone, held = (
        [scale * float(pressure_drag[draw()].sum()) for _ in range(200)]
        for draw in (
            lambda: torch.from_numpy(rng.integers(total, size=count)),
            lambda: strata(total, count, rng),
        )
    )
    assert np.std(held) < 0.8 * np.std(lone)
    # Neither is biased.
    assert abs(np.mean(held) - float(pressure_drag.sum())) < 4 * np.std(held) / np.sqrt(200)


def test_where_the_flow_was_not_kept_nothing_is_known_of_it(sample):
    arrays, meta = sample
    without = {
        name: a[:0] if name in ("volume_xyz", "u", "volume_cp", "nut", "k") else a
        for name, a in arrays.items()
    }
    points, flow = drawn_flow(half(without, meta), 7, np.random.default_rng(0))
    assert torch.isfinite(points).all()
    assert torch.isnan(flow).all()


def test_elements_are_stacked_by_name():
    items = [{"a": torch.tensor([1.0])}, {"a": torch.tensor([2.0])}]
    assert stacked(items)["a"].tolist() == [[1], [2]]


def test_a_split_without_samples_is_refused(store, tmp_path):
    (tmp_path / "car_1.safetensors").write_bytes((store / "car_1.safetensors").read_bytes())
    with pytest.raises(FileNotFoundError, match="no samples of the test split"):
        half_batches(tmp_path, "test", 1, DRAWS)
