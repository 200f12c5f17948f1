"""Public files of the pairs: what is asked for, and that the descriptions find all of it.

Files of the layout of MOGREPS-UK in the IMPROVER test data are made here, smaller, and read beside
the file made ready of the same fields.
"""

import re

import numpy as np
import pytest

from ansatz.hub.listing import safe_path
from ansatz.hub.transfer import fetch
from ansatz.weather.dataset import Downscaling, shipped
from ansatz.weather.description import read_description
from ansatz.weather.origins import AROME25, HRRR3KM, UK2KM
from ansatz.weather.pairing import samples

xr = pytest.importorskip("xarray")
h5py = pytest.importorskip("h5py")
pytest.importorskip("h5netcdf")

MANIFESTS = {"uk2km": UK2KM, "hrrr3km": HRRR3KM, "arome25": AROME25}
ADDRESS = r"https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/[\w./-]+"
AXES = ("projection_y_coordinate", "projection_x_coordinate")
HEAD = "metoppv/improver_test_data/c80506338cb21455d0837ef919afec41f899a733/data"


def originals(name):
    return [file for file in MANIFESTS[name].files if file.group == "originals"]


@pytest.mark.parametrize(("name", "count"), [("uk2km", 11), ("hrrr3km", 41), ("arome25", 14)])
def test_originals_are_pinned_and_have_digests(name, count):
    found = originals(name)
    assert len({file.path for file in found}) == len({file.sha256 for file in found}) == count
    for file in found:
        assert re.fullmatch(ADDRESS, f"{MANIFESTS[name].source}/{file.path}")
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.size > 10_000
        assert safe_path(file.path) == file.path


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_description_finds_all_of_the_originals_and_needs_no_more(name, tmp_path):
    wanted = {tmp_path / file.path for file in originals(name)}
    for path in wanted:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    described = read_description(shipped(name)).of(tmp_path)
    found = set()
    for region in described.regions:
        for files in (region.fine, region.static, region.coarse):
            found |= set() if files == "block mean" else set(files.paths(tmp_path))
    assert found == wanted


@pytest.mark.parametrize("name", MANIFESTS)
def test_files_made_ready_stand_for_the_originals(name, tmp_path):
    description = read_description(shipped(name))
    ready = [file.path for file in MANIFESTS[name].files if file.group == "ready"]
    for path in ready:
        (tmp_path / "mirror").mkdir(exist_ok=True)
        (tmp_path / "mirror" / path).write_bytes(b"fields")
    report = fetch(
        MANIFESTS[name], tmp_path / "raw", mirror=str(tmp_path / "mirror"), progress=False
    )
    assert report.ok
    assert set(report.fetched) == set(ready)
    taken = description.of(tmp_path / "raw")
    assert {one.fine.files[0] for one in taken.regions} == set(ready)
    assert [one.channel for one in taken.outputs] == [one.channel for one in description.outputs]
    assert [one.source for one in taken.statics] == [one.name for one in description.statics]
    assert description.of(tmp_path / "elsewhere") == description


def test_a_part_of_the_originals_makes_no_smaller_data_set(tmp_path):
    data = Downscaling(HRRR3KM, "hrrr3km")
    for file in originals("hrrr3km")[1:]:
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.path).touch()
    with pytest.raises(FileNotFoundError, match=r"lacks 1 of 41 files, .*no hrrr3km\.nc in their"):
        data.described(tmp_path)
    (tmp_path / "hrrr3km.nc").touch()
    assert data.described(tmp_path)[0].regions[0].fine.files == ("hrrr3km.nc",)


# ------------------------------------------------------------------- MOGREPS-UK, 16 x 24 cells
X, Y = -20e3 + 2e3 * np.arange(24), 8e3 + 2e3 * np.arange(16)
PLACE = {
    "grid_mapping_name": "lambert_azimuthal_equal_area",
    "latitude_of_projection_origin": 54.9,
    "longitude_of_projection_origin": -2.5,
    "semi_major_axis": 6378137.0,
    "semi_minor_axis": 6356752.314140356,
}


def original(path, name, values, unit, hour=None):
    """A file as Iris writes it: the time is a scalar, the lead time in seconds."""
    dims = (*(("realization",) if values.ndim == 3 else ()), *AXES)
    coords = {AXES[0]: Y.astype(np.float32), AXES[1]: X.astype(np.float32)}
    if hour is not None:
        coords["time"] = np.datetime64(hour, "ns")
        coords["forecast_period"] = ((), np.int32(43200), {"units": "seconds"})
    made = xr.Dataset(
        {name: (dims, values, {"units": unit}), PLACE["grid_mapping_name"]: ((), 0, PLACE)}, coords
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    made.to_netcdf(path)


@pytest.fixture(scope="module")
def fields():
    random = np.random.default_rng(3)
    warm = random.normal(285, 3, (4, 2, 16, 24)).astype(np.float32)
    wind = random.gamma(3, 2, (4, 2, 16, 24)).astype(np.float32)
    land = random.integers(0, 2, (16, 24)).astype(np.int8)
    return warm, wind, land, random.random((16, 24)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(fields, tmp_path_factory):
    root = tmp_path_factory.mktemp("originals")
    warm, wind, land, rough = fields
    stem = f"{HEAD}/estimate-emos-coefficients"
    for day in range(4):
        hour = f"2017-06-{day + 2:02d}T15"
        for kind, name, values, unit in (
            ("normal", "air_temperature", warm[day], "K"),
            ("truncated_normal", "wind_speed", wind[day], "m s-1"),
        ):
            path = root / f"{HEAD}/apply-emos-coefficients/{kind}/input.nc"
            if day < 3:
                path = root / f"{stem}/{kind}/history/2017060{day + 2}.nc"
            original(path, name, values, unit, hour)
    statics = root / HEAD
    original(
        statics / "apply-emos-coefficients/land_sea/landmask.nc", "land_binary_mask", land, "1"
    )
    original(
        statics / "estimate-samos-gam/roughness_length.nc",
        "vegetative_roughness_length",
        rough,
        "m",
    )
    # 1 byte more for each degree to the south.
    stored = np.repeat(np.arange(180, dtype=np.uint8)[:, None], 360, 1)
    path = root / "pvlib/pvlib-python/0/pvlib/data/Altitude.h5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file["Altitude"] = stored
    return root


def test_originals_make_the_samples_of_their_fields(fields, folder):
    warm, wind, land, rough = fields
    description = read_description(shipped("uk2km"))
    found = list(samples(description.of(folder), folder))

    assert [one.name for one in found[::2]] == [f"uk-2017060{day}T1500-m0" for day in (2, 3, 4, 5)]
    assert [one.split for one in found[::2]] == ["train", "train", "validation", "test"]
    assert {one.meta["lead"] for one in found} == {12.0}
    for place, one in enumerate(found):
        day, member = divmod(place, 2)
        fine = np.stack([warm[day, member], wind[day, member]])
        np.testing.assert_array_equal(one.arrays["fine"], fine)
        np.testing.assert_allclose(
            one.arrays["coarse"], fine.reshape(2, 2, 8, 3, 8).mean((2, 4)), rtol=1e-6
        )
    height, mask, roughness = found[0].arrays["static"]
    np.testing.assert_array_equal(mask, land)
    np.testing.assert_array_equal(roughness, rough)
    # Row r of the altitudes has its center at 89.5° - r, and 28 r - 450 m.
    expected = 28 * (89.5 - found[0].arrays["lat"].astype(np.float64)) - 450
    np.testing.assert_allclose(height, expected * land, atol=1e-2)


def test_places_are_those_of_the_map(folder):
    arrays = next(samples(read_description(shipped("uk2km")), folder)).arrays
    lat, lon = arrays["lat"], arrays["lon"]
    assert lat.shape == lon.shape == (16, 24)
    assert lat[0].max() < lat[-1].min()
    # 2 km on the meridian of the origin, which is column 10, at a scale that is nearly true there.
    np.testing.assert_allclose(lon[:, 10], -2.5, atol=1e-6)
    np.testing.assert_allclose(np.diff(lat[:, 10]), 2e3 / 111.3e3, rtol=2e-3)
    assert lat[0, 10] == pytest.approx(54.9 + 8 / 111.3, abs=1e-3)


# --------------------------------------------- AROME and ARPEGE, 16 x 16 and 5 x 5 cells each
HOURS = np.arange(1, 25)


def slope(lat, lon, hour):
    return 280 + 2 * (lat - 46)[:, None] - 3 * (lon - 2) + 0.1 * hour


def grib(path, messages, lat, lon):
    """A file as of MeteoNet: rows from the north, sums of rain since the beginning."""
    eccodes = pytest.importorskip("eccodes")
    place = {
        "Ni": len(lon),
        "Nj": len(lat),
        "latitudeOfFirstGridPointInDegrees": lat[-1],
        "longitudeOfFirstGridPointInDegrees": lon[0],
        "latitudeOfLastGridPointInDegrees": lat[0],
        "longitudeOfLastGridPointInDegrees": lon[-1],
        "iDirectionIncrementInDegrees": lon[1] - lon[0],
        "jDirectionIncrementInDegrees": lat[1] - lat[0],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for name, steps, values in messages:
            message = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
            keys = {"dataDate": 20180501, "dataTime": 0, "bitsPerValue": 24, "shortName": name}
            for key, value in {**place, **keys, "stepRange": steps}.items():
                eccodes.codes_set(message, key, value)
            eccodes.codes_set_values(message, values[::-1].ravel().astype(float))
            eccodes.codes_write(message, file)
            eccodes.codes_release(message)


def test_originals_in_grib_make_hourly_rain_beside_another_models_fields(tmp_path):
    pytest.importorskip("cfgrib")
    fine = 46 + 0.025 * np.arange(16), 2 + 0.025 * np.arange(16)
    coarse = 45.975 + 0.1 * np.arange(5), 2 + 0.1 * np.arange(5)
    fell = np.random.default_rng(1).gamma(1, 1, (24, 16, 16))
    models = tmp_path / "data_samples/weather_models"

    def sums(amounts):
        return [("tp", f"0-{h}", total) for h, total in zip(HOURS, amounts.cumsum(0), strict=True)]

    def slopes(place, *names):
        return [(name, str(h), slope(*place, h)) for name in names for h in (0, *HOURS)]

    for region in ("NW", "SE"):
        end = f"{region}_20180501000000.grib"
        grib(models / f"arome_PRECIP_{end}", sums(fell), *fine)
        grib(models / f"arome_P_sea_level_{end}", slopes(fine, "msl"), *fine)
        grib(models / f"arpege_10m_{end}", slopes(coarse, "10u", "10v"), *coarse)
        grib(models / f"arpege_2m_{end}", slopes(coarse, "2t", "2d", "r"), *coarse)
        grib(models / f"arpege_P_sea_level_{end}", slopes(coarse, "msl"), *coarse)
        grib(models / f"arpege_PRECIP_{end}", sums(np.ones((24, 5, 5))), *coarse)
        masks = [(name, "0", np.full((16, 16), value)) for name, value in (("lsm", 1), ("h", 250))]
        grib(tmp_path / f"data_samples/masks/{region}_masks.grib", masks, *fine)

    found = list(samples(read_description(shipped("arome25")), tmp_path))

    assert [one.split for one in found[:22]] == 14 * ["train"] + 3 * ["validation"] + 5 * ["test"]
    centers = (place.reshape(2, 8).mean(1) for place in fine)
    means = slope(*centers, 24)
    for one in (found[21], found[43]):
        assert one.meta["time"] == "2018-05-02T00:00:00"
        np.testing.assert_allclose(one.arrays["fine"][0], fell[23], atol=1e-4)
        np.testing.assert_allclose(one.arrays["fine"][1], slope(*fine, 24), atol=1e-4)
        np.testing.assert_allclose(one.arrays["coarse"][:6], np.stack(6 * [means]), atol=1e-4)
        np.testing.assert_allclose(one.arrays["coarse"][6], 1, atol=1e-4)
        np.testing.assert_allclose(
            one.arrays["static"], np.stack([0 * fell[0] + 250, 0 * fell[0] + 1])
        )
