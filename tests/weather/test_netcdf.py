"""Answers as files: what CF and the scoring of CorrDiff expect, and maps to look at."""

import io
from dataclasses import replace

import h5netcdf
import numpy as np
import pytest
import xarray as xr
from downscaling import answer, channels, downscaler, fields
from matplotlib.image import imread

from ansatz.weather.channels import Channel
from ansatz.weather.inputs import read_fields
from ansatz.weather.maps import map_image, map_sheet, scale_of
from ansatz.weather.netcdf import hours_since_1970
from ansatz.weather.request import Question


@pytest.fixture(scope="module")
def ensemble():
    found = answer(downscaler(), Question(fields(), members=4))
    lat, lon = np.meshgrid(np.linspace(50, 51, 24), np.linspace(-5, -4, 32), indexing="ij")
    truth = found.members[0] + np.float32(0.5)
    return replace(
        found, lat=lat.astype(np.float32), lon=lon.astype(np.float32), truth=truth, region="sw"
    )


@pytest.fixture
def path(ensemble, tmp_path):
    file, picture = ensemble.save(tmp_path, "storm")
    assert (file.name, picture.name) == ("storm.nc", "storm.png")
    return file


def test_the_scoring_of_corrdiff_finds_its_groups(ensemble, path):
    # As score_samples.py opens a file: groups merged with the root, then means over x and y.
    root = xr.open_dataset(path)
    prediction = xr.open_dataset(path, group="prediction").merge(root).set_coords(["lon", "lat"])
    truth = xr.open_dataset(path, group="truth").merge(root).set_coords(["lon", "lat"])

    error = ((prediction.mean("ensemble") - truth) ** 2).mean(["x", "y"]) ** 0.5

    for place, name in enumerate(("2t", "msl")):
        mean = ensemble.members[:, place].astype(np.float64).mean(0)
        wanted = np.sqrt(((mean - ensemble.truth[place]) ** 2).mean())
        np.testing.assert_allclose(error[name].values, [wanted], rtol=1e-4)
        assert prediction[name].dims == ("ensemble", "time", "y", "x")
        assert truth[name].dims == ("time", "y", "x")
    np.testing.assert_array_equal(root["lat"], ensemble.lat)
    assert root["time"].values == np.datetime64("2017-06-05T15:00")


def test_values_come_back_as_they_were(ensemble, path):
    found = xr.open_dataset(path, group="prediction")
    mean = xr.open_dataset(path, group="mean")
    given = xr.open_dataset(path, group="input")

    np.testing.assert_array_equal(found["2t"][:, 0], ensemble.members[:, 0])
    np.testing.assert_array_equal(mean["msl"][0], ensemble.mean[1])
    np.testing.assert_array_equal(given["msl"][0], ensemble.coarse[1])


def test_names_units_and_coordinates_are_those_of_cf(path):
    with h5netcdf.File(path) as file:
        assert file.attrs["Conventions"] == "CF-1.8"
        variable = file["prediction/2t"]
        assert variable.attrs["standard_name"] == "air_temperature"
        assert variable.attrs["units"] == "K"
        assert variable.attrs["coordinates"] == "lat lon"
        assert file["time"].attrs["units"].startswith("hours since")
        assert file["lat"].attrs["units"] == "degrees_north"
        assert file["ensemble"].attrs["standard_name"] == "realization"


def test_an_answer_can_be_asked_about_again(ensemble, path):
    found = read_fields(path, channels(statics=(), static_mean=(), static_std=()))

    np.testing.assert_array_equal(found.coarse, ensemble.coarse)
    np.testing.assert_array_equal(found.fine, ensemble.truth)
    np.testing.assert_array_equal(found.lat, ensemble.lat)
    assert found.time == "2017-06-05T15:00"


def test_what_is_not_known_is_left_out(ensemble, tmp_path):
    bare = replace(ensemble, truth=None, lat=None, lon=None, time="")
    path = bare.save(tmp_path, "bare")[0]

    with h5netcdf.File(path) as file:
        assert "truth" not in file.groups
        assert np.isnan(file["lat"][...]).all()
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("time", "hours"),
    [
        ("1970-01-02T03:00", 27.0),
        ("2017-06-05T15:00:00Z", 24 * 17_322 + 15.0),
        ("2017-06-05T17:00+02:00", 24 * 17_322 + 15.0),
    ],
)
def test_times_are_of_utc(time, hours):
    assert hours_since_1970(time) == hours


# ------------------------------------------------------------------------------------- maps
def test_maps_have_north_above():
    field = np.zeros((4, 6))
    field[-1] = 1  # the northern edge
    picture = map_image(field, scale_of(Channel("tp", "mm"), [field]))

    assert picture.shape[1] / picture.shape[0] == 6 / 4
    assert (picture[0] == picture[0, 0]).all()
    assert not (picture[0, 0] == picture[-1, 0]).all()
    assert (picture[-1] == picture[picture.shape[0] // 2]).all()


def test_a_wind_has_the_color_of_calm_in_the_middle():
    scale = scale_of(Channel("10u", "m s-1"), [np.linspace(-2, 9, 1000)])

    assert scale.low == -scale.high
    assert scale.label == "10u, m s-1"


@pytest.mark.parametrize("field", [np.full((3, 3), 7.0), np.full((3, 3), np.nan), np.zeros((3, 3))])
def test_a_field_that_is_even_or_unknown_has_a_scale(field):
    scale = scale_of(Channel("2t", "K"), [field])

    assert scale.low < scale.high
    assert map_image(field, scale).shape[-1] == 3


def test_the_sheet_has_a_row_for_each_output(ensemble):
    two = imread(io.BytesIO(map_sheet(ensemble)), "png")
    channel = replace(ensemble.channels.outputs[0], name="gust")
    foreign = replace(ensemble.channels, outputs=(channel, ensemble.channels.outputs[1]))
    mixed = imread(io.BytesIO(map_sheet(replace(ensemble, channels=foreign))), "png")

    single = imread(io.BytesIO(map_sheet(replace(ensemble, members=ensemble.members[:1]))), "png")

    assert two.shape[0] / two.shape[1] > 0.35
    assert mixed.shape == two.shape
    assert single.shape[0] > two.shape[0]  # three maps side by side in place of five
