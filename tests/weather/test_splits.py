import math

import numpy as np
import pytest

from ansatz.core.recipe import Sample
from ansatz.store.samples import fill
from ansatz.weather.channels import Channel, Channels
from ansatz.weather.splits import distances

FACTOR = 4
ROUGH, OTHER = np.random.default_rng(5).normal(size=(2, 1, 8, 8)).astype(np.float32)


def sample(name, split, hour, fine, region="a", corner=(0, 0), south=None):
    arrays = {"coarse": np.zeros((1, 2, 2), np.float32), "fine": fine}
    arrays["static"] = np.zeros((0, 8, 8), np.float32)
    if south is not None:
        arrays["lat"], arrays["lon"] = np.full((8, 8), south), np.zeros((8, 8))
    time = np.datetime64("2020-01-01T00:00:00") + np.timedelta64(round(60 * hour), "m")
    row, col = corner
    meta = {"time": str(time), "region": region, "member": 0, "row": row, "col": col, "lead": 0.0}
    return Sample(name, split, arrays, meta)


def measured(folder, *samples):
    fill(samples, folder)
    one = (Channel("2t", "K"),)
    Channels(one, one, (), FACTOR, 2.5, (0.0,), (1.0,), (0.0,), (1.0,)).write(
        folder / "channels.json"
    )
    return {(found.first, found.second): found for found in distances(folder)}


def test_the_gap_in_time_is_that_of_the_closest_two(tmp_path):
    found = measured(
        tmp_path,
        sample("a", "train", 0, ROUGH),
        sample("b", "train", 10, ROUGH),
        sample("c", "validation", 16.5, ROUGH),
        sample("d", "validation", 20, ROUGH),
        sample("e", "test", 21, ROUGH),
    )
    gaps = {pair: one.hours for pair, one in found.items()}
    assert gaps == {
        ("train", "validation"): 6.5,
        ("train", "test"): 11.0,
        ("validation", "test"): 1.0,
    }


def test_detail_is_like_itself_and_unlike_another(tmp_path):
    found = measured(
        tmp_path,
        sample("a", "train", 0, OTHER),
        sample("b", "train", 10, ROUGH),
        # Twice the detail on another level is the same detail.
        sample("c", "test", 12, 2 * ROUGH + 280),
    )[("train", "test")]
    assert found.likeness["2t"] == pytest.approx(1, abs=1e-6)
    assert abs(found.background["2t"]) < 0.4
    assert found.km == 0


def test_what_the_coarse_field_knows_is_no_detail(tmp_path):
    slope = np.linspace(0, 9, 8, dtype=np.float32) * np.ones((1, 8, 1), np.float32)
    found = measured(
        tmp_path, sample("a", "train", 0, ROUGH + 50 * slope), sample("b", "test", 1, -ROUGH)
    )[("train", "test")]
    assert found.likeness["2t"] == pytest.approx(-1, abs=1e-4)


def test_patches_of_one_grid_are_as_far_as_their_edges(tmp_path):
    found = measured(
        tmp_path,
        sample("a", "train", 0, ROUGH),
        sample("b", "test", 0, ROUGH, corner=(8 + 6, 8 + 8)),  # 6 and 8 cells between them
    )[("train", "test")]
    assert found.km == pytest.approx(2.5 * 10)
    assert found.likeness == {}


def test_regions_are_as_far_as_on_the_sphere(tmp_path):
    found = measured(
        tmp_path,
        sample("a", "train", 0, ROUGH, "a", south=10.0),
        sample("b", "test", 0, ROUGH, "b", south=13.0),
    )[("train", "test")]
    assert found.km == pytest.approx(6371 * math.radians(3), rel=1e-6)


def test_nobody_knows_the_distance_of_regions_without_places(tmp_path):
    found = measured(
        tmp_path, sample("a", "train", 0, ROUGH), sample("b", "test", 0, ROUGH, region="b")
    )[("train", "test")]
    assert math.isnan(found.km)
