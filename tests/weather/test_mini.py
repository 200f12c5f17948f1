import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ansatz.core.recipe import Manifest, Position
from ansatz.store.samples import Store
from ansatz.weather.channels import Channel, read_channels
from ansatz.weather.dataset import Mini
from ansatz.weather.grid import upsample
from ansatz.weather.mini import Layout, late_splits

xr = pytest.importorskip("xarray")
pytest.importorskip("h5netcdf")

FACTOR, PATCH = 8, 64
MINI = Mini(Manifest("file:///nowhere", ()), layout=Layout("toy"))
STATS = {
    "input": {"t850": {"mean": 270.0, "std": 4.0}, "10u": {"mean": 1.0, "std": 2.0}},
    "output": {"10u": {"mean": 1.0, "std": 3.0}},
    "invariant": {"elev_mean": {"mean": 100.0, "std": 50.0}},
}


def write_patches(path, hours, corners, seed=0):
    """Patches whose coarse wind is the block mean of the fine one, cut from maps of 80 x 96."""
    rng = np.random.default_rng(seed)
    count, small = len(hours), PATCH // FACTOR
    fine = rng.normal(size=(count, PATCH, PATCH)).astype(np.float32)
    mean = fine.reshape(count, small, FACTOR, small, FACTOR).mean((2, 4))
    times = np.datetime64("2019-05-01", "ns") + np.array(hours) * np.timedelta64(1, "h")
    relief = np.arange(80 * 96, dtype=np.float32).reshape(80, 96)
    given = {"t850": rng.normal(270, 4, mean.shape).astype(np.float32), "10u": mean}
    xr.Dataset({"time": ("sample", times), "coord": (("sample", "two"), corners)}).to_netcdf(path)
    groups = {
        "input": {name: (("sample", "h", "w"), values) for name, values in given.items()},
        "output": {"10u": (("sample", "y", "x"), fine, {"units": "m s-1"})},
        "invariant": {"elev_mean": (("Y", "X"), relief)},
    }
    for group, variables in groups.items():
        xr.Dataset(variables).to_netcdf(path, group=group, mode="a")
    return given, fine, relief


@pytest.fixture
def raw(tmp_path):
    corners = [[0, 0], [0, 0], [16, 24], [16, 32]]
    write_patches(tmp_path / "toy_train.nc", [0, 0, 1, 1], corners)
    write_patches(tmp_path / "toy_validation.nc", [30], [[0, 0]], seed=1)
    write_patches(tmp_path / "toy_test.nc", [60], [[0, 0]], seed=2)
    (tmp_path / "toy_stats.json").write_text(json.dumps(STATS))
    return tmp_path


def test_patches_become_samples_with_their_place_and_member(raw, tmp_path):
    filled = MINI.fill(raw, tmp_path / "store")
    store = Store(tmp_path / "store")

    assert filled.samples == 6
    assert [len(store.names(split)) for split in ("train", "validation", "test")] == [4, 1, 1]
    metas = [store.meta(f"train-{n}") for n in range(4)]
    assert [(m["row"], m["col"], m["member"]) for m in metas] == [
        (0, 0, 0),
        (0, 0, 1),  # the same time and place again
        (16, 24, 0),
        (16, 32, 0),
    ]
    assert metas[2]["time"] == "2019-05-01T01:00:00"
    relief = np.arange(80 * 96, dtype=np.float32).reshape(80, 96)
    np.testing.assert_array_equal(store.load("train-2")["static"][0], relief[16:80, 24:88])


def test_the_statistics_are_those_of_the_file_and_block_means_are_found(raw, tmp_path):
    MINI.fill(raw, tmp_path / "store")
    found = read_channels(tmp_path / "store")
    by_name = {channel.label: place for place, channel in enumerate(found.inputs)}
    assert found.inputs[by_name["t850"]] == Channel("t", "", 850.0)
    assert found.input_mean[by_name["t850"]] == 270.0
    assert (found.output_mean, found.output_std) == ((1.0,), (3.0,))
    assert (found.static_mean, found.static_std) == ((100.0,), (50.0,))
    assert found.factor == FACTOR
    assert found.block_mean == ("10u",)
    assert found.positive == ()


def test_a_batch_is_what_the_stock_reader_gives(raw, tmp_path):
    """Upsampled inputs, then the invariants at `coord`, each (x - mean) / std of the file."""
    layout = replace(MINI.layout, inputs=("10u", "t850"))
    data = replace(MINI, layout=layout)
    data.fill(raw, tmp_path / "store")
    given, fine, relief = write_patches(
        tmp_path / "again.nc", [0, 0, 1, 1], [[0, 0], [0, 0], [16, 24], [16, 32]]
    )
    batch = data.batches(tmp_path / "store", "train", 4)(Position(0, 0), torch.nn.Identity())
    order = Position(0, 0).indices(4, 4)
    at = order.tolist().index(3)

    wind = (upsample(torch.from_numpy(given["10u"][3]), FACTOR) - 1) / 2
    warmth = (upsample(torch.from_numpy(given["t850"][3]), FACTOR) - 270) / 4
    height = (torch.from_numpy(relief[16:80, 32:96]) - 100) / 50
    torch.testing.assert_close(batch["condition"][at], torch.stack([wind, warmth, height]))
    torch.testing.assert_close(batch["fine"][at], (torch.from_numpy(fine[3:4]) - 1) / 3)
    assert batch["place"][at].tolist() == [16, 32]


def test_without_other_files_the_last_times_are_held_out(tmp_path):
    hours = list(range(0, 400, 4)) * 2
    write_patches(tmp_path / "toy_train.nc", hours, [[0, 0]] * len(hours))
    (tmp_path / "stats.json").write_text(json.dumps(STATS))
    MINI.fill(tmp_path, tmp_path / "store")
    store = Store(tmp_path / "store")
    times = {
        split: np.unique([np.datetime64(store.meta(name)["time"]) for name in store.names(split)])
        for split in ("train", "validation", "test")
    }
    day = np.timedelta64(24, "h")
    assert len(times["validation"]) == len(times["test"]) == 10
    assert times["validation"].min() - times["train"].max() > day
    assert times["test"].min() - times["validation"].max() > day


def test_too_few_times_cannot_be_held_out():
    times = [np.datetime64("2019-05-01", "ns")] * 3
    with pytest.raises(ValueError, match="1 times are too few to hold 10% of them out twice"):
        late_splits(times, Layout())


def test_a_missing_variable_names_the_nearest(raw, tmp_path):
    data = replace(MINI, layout=replace(MINI.layout, outputs=("10v",)))
    with pytest.raises(ValueError, match="unknown output '10v'; did you mean '10u'"):
        data.fill(raw, tmp_path / "store")


def test_missing_files_are_named(raw, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no .*other_train\.nc"):
        replace(MINI, layout=Layout("other")).fill(raw, tmp_path / "store")
    (raw / "toy_stats.json").unlink()
    with pytest.raises(FileNotFoundError, match="the statistics of the patches"):
        MINI.fill(raw, tmp_path / "store")


def test_a_file_of_another_layout_is_refused(raw, tmp_path):
    xr.Dataset({"x": ("time", [1.0])}).to_netcdf(raw / "toy_train.nc")
    with pytest.raises(ValueError, match="has no time and no coord"):
        MINI.fill(raw, tmp_path / "store")


def test_a_patch_beyond_the_maps_is_refused(raw, tmp_path):
    write_patches(raw / "toy_train.nc", [0], [[24, 0]])
    with pytest.raises(ValueError, match="patch 0 at row 24, column 0 reaches beyond"):
        MINI.fill(raw, tmp_path / "store")
