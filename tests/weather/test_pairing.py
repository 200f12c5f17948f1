from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from ansatz.weather.description import read_description
from ansatz.weather.pairing import samples

xr = pytest.importorskip("xarray")
pytest.importorskip("h5netcdf")

HEAD = """
title = "A field"
factor = 4
spacing = 2.5

[[outputs]]
name = "2t"
unit = "K"

[[splits]]
name = "train"
"""
FINE = '[[regions]]\nname = "here"\nfine = "fine.nc"\n'
GRIB = Path(__file__).parent / "data"
TIMES = np.array(["2020-01-01T00", "2020-01-01T01", "2020-01-01T02"], "datetime64[ns]")


def linear(lat, lon, hour):
    """A temperature, linear in latitude and longitude."""
    return 280.0 + 2 * lat[:, None] - 3 * lon + 10 * hour


def grid(south=50.0, west=-1.0, step=0.1, rows=12, columns=18):
    return south + step * np.arange(rows), west + step * np.arange(columns)


def field(lat, lon, name="2t", times=TIMES, unit="K", shift=0.0):
    """A data set with `linear` at each hour."""
    values = np.stack([linear(lat, (lon + 180) % 360 - 180, h) for h in range(len(times))]) + shift
    array = (("time", "lat", "lon"), values, {"units": unit})
    return xr.Dataset({name: array}, coords={"time": times, "lat": lat, "lon": lon})


def read(folder, text):
    (folder / "data.toml").write_text(text)
    return list(samples(read_description(folder / "data.toml"), folder))


def test_samples_are_float32_fields_with_their_places_and_times(tmp_path):
    lat, lon = grid()
    field(lat, lon).to_netcdf(tmp_path / "fine.nc")
    found = read(tmp_path, HEAD + FINE)

    assert [one.name for one in found] == [f"here-20200101T0{h}00" for h in range(3)]
    assert {key: (a.shape, str(a.dtype)) for key, a in found[1].arrays.items()} == {
        "coarse": ((1, 3, 4), "float32"),
        "fine": ((1, 12, 16), "float32"),  # cut to whole coarse cells
        "static": ((0, 12, 16), "float32"),
        "lat": ((12, 16), "float32"),
        "lon": ((12, 16), "float32"),
    }
    assert found[1].meta == {
        "time": "2020-01-01T01:00:00",
        "region": "here",
        "member": 0,
        "row": 0,
        "col": 0,
        "lead": 0.0,
    }
    np.testing.assert_allclose(found[1].arrays["fine"][0], linear(lat, lon[:16], 1), rtol=1e-6)
    centers = lat.reshape(3, 4).mean(1), lon[:16].reshape(4, 4).mean(1)
    np.testing.assert_allclose(found[1].arrays["coarse"][0], linear(*centers, 1), rtol=1e-6)


def test_row_0_is_in_the_south_whatever_the_order_of_the_file(tmp_path):
    lat, lon = grid()
    field(lat, lon).to_netcdf(tmp_path / "fine.nc")
    upright = read(tmp_path, HEAD + FINE)
    field(lat, lon).isel(lat=slice(None, None, -1)).transpose("lon", "lat", "time").to_netcdf(
        tmp_path / "turned.nc"
    )
    turned = read(tmp_path, HEAD + FINE.replace("fine.nc", "turned.nc"))
    for one, other in zip(upright, turned, strict=True):
        for key in one.arrays:
            np.testing.assert_array_equal(one.arrays[key], other.arrays[key])


def test_a_field_linear_in_each_coarse_cell_is_the_same_from_another_grid(tmp_path):
    """Across Greenwich, where the field has its kink and the longitudes go from 360 to 0."""

    def kinked(dataset):
        return dataset - 4 * abs((dataset["lon"] + 180) % 360 - 180)

    kinked(field(*grid())).to_netcdf(tmp_path / "fine.nc")
    lat = np.arange(49.5, 52.1, 0.25)[::-1]
    lon = np.concatenate([np.arange(0, 1.6, 0.3), np.arange(358.2, 359.99, 0.3)])
    kinked(field(lat, lon)).to_netcdf(tmp_path / "coarse.nc")
    means = read(tmp_path, HEAD + FINE)
    others = read(tmp_path, HEAD + FINE + 'coarse = "coarse.nc"\n')
    for one, other in zip(means, others, strict=True):
        np.testing.assert_allclose(other.arrays["coarse"], one.arrays["coarse"], atol=1e-3)


def test_coarse_fields_on_the_block_mean_grid_are_taken_as_they_are(tmp_path):
    lat, lon = grid(columns=16)
    field(lat, lon).to_netcdf(tmp_path / "fine.nc")
    rows, columns = lat.reshape(3, 4).mean(1), lon.reshape(4, 4).mean(1)
    coarse = field(rows, columns)
    coarse["2t"] += np.random.default_rng(1).normal(size=coarse["2t"].shape)
    coarse.to_netcdf(tmp_path / "coarse.nc")
    found = read(tmp_path, HEAD + FINE + 'coarse = "coarse.nc"\n')
    np.testing.assert_array_equal(
        found[2].arrays["coarse"][0], coarse["2t"].values[2].astype(np.float32)
    )


def test_fields_without_coordinates_get_them_from_the_description(tmp_path):
    field(*grid()).to_netcdf(tmp_path / "fine.nc")
    lat, lon = grid(49.8, -1.2, 0.5, 6, 6)
    field(lat, lon).drop_vars(["lat", "lon"]).to_netcdf(tmp_path / "coarse.nc")
    place = "grid = { south = 49.8, west = -1.2, step = 0.5 }\n"
    means = read(tmp_path, HEAD + FINE)
    told = read(tmp_path, HEAD + FINE + '[regions.coarse]\nfiles = "coarse.nc"\n' + place)
    np.testing.assert_allclose(told[0].arrays["coarse"], means[0].arrays["coarse"], atol=1e-3)
    with pytest.raises(ValueError, match="nobody knows which row is in the south"):
        read(tmp_path, HEAD + FINE + 'coarse = "coarse.nc"\n')


def test_units_are_converted_or_refused(tmp_path):
    field(*grid(), unit="degC", shift=-273.15).to_netcdf(tmp_path / "fine.nc")
    found = read(tmp_path, HEAD + FINE)
    lat, lon = grid()
    np.testing.assert_allclose(found[0].arrays["fine"][0], linear(lat, lon[:16], 0), rtol=1e-6)
    field(*grid(), unit="m s**-1").to_netcdf(tmp_path / "fine.nc")
    with pytest.raises(ValueError, match="is in 'm s\\*\\*-1', which is not to be converted"):
        read(tmp_path, HEAD + FINE)


def test_members_levels_and_groups_are_found(tmp_path):
    lat, lon = grid()
    one = field(lat, lon)["2t"]
    levels = xr.DataArray([850.0, 500.0], dims="level")
    numbers = xr.DataArray([0.0, 1.0, 2.0], dims="member")
    both = (one + 0.1 * levels + 1000 * numbers).transpose("time", "level", "member", "lat", "lon")
    root = xr.Dataset(coords={"time": TIMES, "lat": lat, "lon": lon})
    root.to_netcdf(tmp_path / "fine.nc")
    inner = both.drop_vars(["time", "lat", "lon"]).assign_coords(level=levels.values)
    inner.to_dataset(name="t").to_netcdf(tmp_path / "fine.nc", group="output", mode="a")
    text = HEAD.replace('"2t"\nunit = "K"', '"t"\nlevel = 500')
    source = '[[regions]]\nname = "here"\nfine = { files = "fine.nc", group = "output" }\n'

    found = read(tmp_path, text + source)

    assert [one.name for one in found[:3]] == [f"here-20200101T0000-m{m}" for m in range(3)]
    assert [one.meta["member"] for one in found] == [0, 1, 2] * 3
    for sample in found:
        hour = int(sample.meta["time"][11:13])
        expected = linear(lat, lon[:16], hour) + 50 + 1000 * sample.meta["member"]
        np.testing.assert_allclose(sample.arrays["fine"][0], expected, rtol=1e-6)
    with pytest.raises(ValueError, match=r"it has level: \[850.0, 500.0\]"):
        read(tmp_path, text.replace("500", "700") + source)
    with pytest.raises(ValueError, match="besides time and member there may be two"):
        read(tmp_path, text.replace("\nlevel = 500", "") + source)


def test_files_of_one_time_each_are_one_series(tmp_path):
    for hour, time in enumerate(TIMES):
        part = field(*grid()).isel(time=hour)
        part["time"] = time
        part.to_netcdf(tmp_path / f"part_{2 - hour}.nc")
    found = read(tmp_path, HEAD + FINE.replace("fine.nc", "part_*.nc"))
    assert [one.meta["time"][11:13] for one in found] == ["00", "01", "02"]
    assert found[2].arrays["fine"].mean() - found[0].arrays["fine"].mean() == pytest.approx(20)


def test_static_fields_lie_beside_each_sample(tmp_path):
    lat, lon = grid()
    field(lat, lon).to_netcdf(tmp_path / "fine.nc")
    relief = xr.Dataset({"z": (("lat", "lon"), linear(lat, lon, 0))}, {"lat": lat, "lon": lon})
    relief.isel(lat=slice(None, None, -1)).to_netcdf(tmp_path / "relief.nc")
    text = HEAD + '[[statics]]\nname = "orog"\nvariable = "z"\n' + FINE
    found = read(tmp_path, text + 'static = "relief.nc"\n')
    assert found[0].arrays["static"].shape == (1, 12, 16)
    np.testing.assert_allclose(found[2].arrays["static"][0], linear(lat, lon[:16], 0), rtol=1e-6)


def test_static_fields_of_another_grid_are_interpolated_and_may_lie_over_land(tmp_path):
    lat, lon = grid()
    field(lat, lon).to_netcdf(tmp_path / "fine.nc")
    rows, columns = np.arange(52.0, 49.0, -0.25), np.arange(-1.5, 1.5, 0.5)
    relief = (("lat", "lon"), linear(rows, columns, 0))
    xr.Dataset({"z": relief}, {"lat": rows, "lon": columns}).to_netcdf(tmp_path / "relief.nc")
    land = np.random.default_rng(2).integers(0, 2, (12, 18))
    xr.Dataset({"lsm": (("lat", "lon"), land)}, {"lat": lat, "lon": lon}).to_netcdf(
        tmp_path / "land.nc"
    )
    statics = '[[statics]]\nname = "z"\nover = "lsm"\n[[statics]]\nname = "lsm"\n'
    found = read(tmp_path, HEAD + statics + FINE + 'static = ["relief.nc", "land.nc"]\n')
    height, mask = found[0].arrays["static"]
    np.testing.assert_array_equal(mask, land[:, :16])
    np.testing.assert_allclose(height, linear(lat, lon[:16], 0) * mask, rtol=1e-6)


def test_a_static_field_without_a_place_is_refused(tmp_path):
    lat, lon = grid()
    field(lat, lon).to_netcdf(tmp_path / "fine.nc")
    relief = xr.Dataset({"z": (("y", "x"), np.ones((5, 5)))}, {"y": np.arange(5)})
    relief.to_netcdf(tmp_path / "relief.nc")
    text = HEAD + '[[statics]]\nname = "z"\n' + FINE + 'static = "relief.nc"\n'
    with pytest.raises(ValueError, match=r"has the shape \(5, 5\) .* or on a regular one"):
        read(tmp_path, text)


RAIN = HEAD.replace(
    '"2t"\nunit = "K"', '"tp"\nunit = "mm"\nunit_in_file = "mm"\naccumulated = true'
)


def rain(hourly, leads, start="2020-01-01T00"):
    """Sums since the beginning of a forecast, at lead times in hours."""
    lat, lon = grid()
    sums = (("time", "lat", "lon"), np.cumsum(hourly, 0), {"units": "kg m**-2"})
    times = np.datetime64(start, "ns") + np.timedelta64(1, "h") * np.array(leads)
    found = xr.Dataset({"tp": sums}, coords={"time": times, "lat": lat, "lon": lon})
    return found.assign_coords(step=("time", np.array(leads), {"units": "hours"}))


@pytest.mark.parametrize("told", [True, False], ids=["lead times", "times alone"])
def test_rain_is_what_fell_since_the_time_before(tmp_path, told):
    hourly = np.random.default_rng(0).gamma(1, 1, (3, 12, 18)).astype(np.float32)
    sums = rain(hourly, [1, 2, 3])
    (sums if told else sums.drop_vars("step")).to_netcdf(tmp_path / "fine.nc")
    found = read(tmp_path, RAIN + FINE)
    assert [one.meta["lead"] for one in found] == ([1.0, 2.0, 3.0] if told else [0.0] * 3)
    for one, fell in zip(found, hourly, strict=True):
        np.testing.assert_allclose(one.arrays["fine"][0], fell[:, :16], atol=1e-5)


def test_rain_of_one_forecast_is_not_taken_from_another(tmp_path):
    hourly = np.random.default_rng(0).gamma(1, 1, (4, 12, 18)).astype(np.float32)
    rain(hourly[:2], [1, 2]).to_netcdf(tmp_path / "fine_0.nc")
    rain(hourly[2:], [1, 2], "2020-01-01T06").to_netcdf(tmp_path / "fine_1.nc")
    found = read(tmp_path, RAIN + FINE.replace("fine.nc", "fine_*.nc"))
    assert [one.meta["time"][11:13] for one in found] == ["01", "02", "07", "08"]
    for one, fell in zip(found, hourly, strict=True):
        np.testing.assert_allclose(one.arrays["fine"][0], fell[:, :16], atol=1e-5)


def test_rain_that_rounding_took_back_did_not_fall(tmp_path):
    hourly = np.ones((2, 12, 18), np.float32)
    hourly[1] = -0.25
    rain(hourly, [1, 2]).to_netcdf(tmp_path / "fine.nc")
    assert (read(tmp_path, RAIN + FINE)[1].arrays["fine"] == 0).all()


@pytest.mark.parametrize(
    ("fine", "coarse", "message"),
    [
        (field(*grid(), name="t2m"), None, "unknown variable '2t'; there are: t2m"),
        (field(*grid()).where(lambda d: d["2t"] > 384), None, "values that are no numbers"),
        (field(*grid(rows=3)), None, "smaller than one coarse cell of 4 x 4"),
        (
            field(*grid()),
            field(*grid(50.0, -1.0, 0.5, 2, 6)),
            "its latitudes end 0.60 degrees inside it, and may by half a cell, 0.25",
        ),
        (
            field(*grid()),
            field(*grid(49.8, -1.2, 0.5, 6, 6), times=TIMES[:2]),
            "no field at 2020-01-01T02:00, which the fine fields have; the nearest one is at",
        ),
    ],
    ids=["variable", "gaps", "small", "cover", "time"],
)
def test_what_does_not_fit_is_refused_with_what_there_is(tmp_path, fine, coarse, message):
    fine.to_netcdf(tmp_path / "fine.nc")
    text = HEAD + FINE
    if coarse is not None:
        coarse.to_netcdf(tmp_path / "coarse.nc")
        text += 'coarse = "coarse.nc"\n'
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)


def test_a_time_in_two_files_is_refused(tmp_path):
    for name in ("fine_a.nc", "fine_b.nc"):
        field(*grid()).to_netcdf(tmp_path / name)
    with pytest.raises(ValueError, match=r"is in fine_a\.nc and in fine_b\.nc"):
        read(tmp_path, HEAD + FINE.replace("fine.nc", "fine_*.nc"))


def test_splits_that_take_nothing_say_which_times_there_are(tmp_path):
    field(*grid()).to_netcdf(tmp_path / "fine.nc")
    text = HEAD + "first = 2021-01-01T00:00:00Z\n" + FINE
    with pytest.raises(ValueError, match="go from 2020-01-01T00:00 to 2020-01-01T02:00"):
        read(tmp_path, text)


@pytest.mark.skipif(find_spec("zarr") is None, reason="needs zarr")
def test_zarr_is_read_like_netcdf(tmp_path):
    field(*grid()).to_netcdf(tmp_path / "fine.nc")
    field(*grid()).to_zarr(tmp_path / "fine.zarr", consolidated=True, zarr_format=2)
    one = read(tmp_path, HEAD + FINE)
    other = read(tmp_path, HEAD + FINE.replace("fine.nc", "fine.zarr"))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.arrays["fine"], b.arrays["fine"])


@pytest.mark.skipif(find_spec("cfgrib") is None, reason="needs the extra grib")
def test_grib_messages_are_found_by_short_name_at_the_time_they_are_valid_for(tmp_path):
    eccodes = pytest.importorskip("eccodes")
    text = """
        title = "HRRR"
        factor = 8
        spacing = 3.0
        outputs = [{ name = "10u" }, { name = "2t", unit = "degC" }]
        statics = [{ name = "elev_mean", variable = "orog" }]
        regions = [{ name = "idaho", fine = "hrrr.*.grib2" }]
        splits = [{ name = "test" }]
    """
    (tmp_path / "data.toml").write_text(text)
    found = list(samples(read_description(tmp_path / "data.toml"), GRIB))

    assert [one.meta["time"] for one in found] == ["2018-07-22T01:00:00", "2018-07-22T02:00:00"]
    assert {one.meta["lead"] for one in found} == {1.0}
    known = {}
    with (GRIB / "hrrr.t01z.grib2").open("rb") as file:
        while (message := eccodes.codes_grib_new_from_file(file)) is not None:
            shape = [eccodes.codes_get(message, key) for key in ("Ny", "Nx")]
            values = eccodes.codes_get_values(message).reshape(shape)
            known[eccodes.codes_get(message, "shortName")] = values[:72, :40]
            assert eccodes.codes_get(message, "jScansPositively")  # row 0 is in the south
            eccodes.codes_release(message)
    arrays = found[1].arrays
    np.testing.assert_allclose(arrays["fine"][0], known["10u"], atol=1e-5)
    np.testing.assert_allclose(arrays["fine"][1], known["2t"] - 273.15, atol=1e-4)
    np.testing.assert_allclose(arrays["static"][0], known["orog"], atol=1e-3)
    assert arrays["lat"][0].mean() < arrays["lat"][-1].mean()
