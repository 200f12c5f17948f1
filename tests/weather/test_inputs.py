"""Files as users have them: groups or none, any unit, north or south first, several times."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from downscaling import channels, fields

from ansatz.weather.channels import Channel, Conditioning
from ansatz.weather.inputs import Times, read_fields, times_of
from ansatz.weather.request import Question, parts

GIVEN = fields()
TIMES = np.array(["2017-06-05T03", "2017-06-05T15", "2017-06-06T03"], "datetime64[ns]")


def dataset(units=("K", "Pa"), times=1):
    maps = {
        name: (("time", "y", "x"), np.stack([field + n for n in range(times)]), {"units": unit})
        for name, field, unit in zip(("2t", "msl"), GIVEN.coarse, units, strict=True)
    }
    return xr.Dataset(maps, coords={"time": TIMES[:times]})


def relief():
    return xr.Dataset({"elev_mean": (("Y", "X"), GIVEN.static[0], {"units": "m"})})


def written(path, root=None, **groups):
    (root if root is not None else xr.Dataset()).to_netcdf(path, engine="h5netcdf")
    for name, group in groups.items():
        group.to_netcdf(path, group=name, mode="a", engine="h5netcdf")
    return path


@pytest.fixture
def file(tmp_path):
    return written(tmp_path / "storm.nc", dataset(), invariant=relief())


def test_channels_may_lie_in_the_root_or_in_a_group(tmp_path, file):
    grouped = written(tmp_path / "g.nc", None, input=dataset(), invariant=relief())

    for path in (file, grouped):
        found = read_fields(path, channels())
        np.testing.assert_array_equal(found.coarse, GIVEN.coarse)
        np.testing.assert_array_equal(found.static, GIVEN.static)
        assert found.time == "2017-06-05T03:00"
    assert read_fields(file, channels()).region == "storm"


def test_the_bytes_of_a_file_are_as_good_as_its_path(file):
    found = read_fields(file.read_bytes(), channels())

    np.testing.assert_array_equal(found.coarse, GIVEN.coarse)


def test_static_fields_may_have_a_file_of_their_own(tmp_path):
    coarse = written(tmp_path / "c.nc", dataset())
    static = written(tmp_path / "s.nc", relief())

    np.testing.assert_array_equal(
        read_fields(coarse, channels(), None, static).static, GIVEN.static
    )


def test_a_file_of_the_classic_format_is_read(tmp_path):
    path = tmp_path / "classic.nc"
    dataset().drop_vars("time").to_netcdf(path, engine="scipy", format="NETCDF3_CLASSIC")

    found = read_fields(path, channels(statics=(), static_mean=(), static_std=()))

    np.testing.assert_allclose(found.coarse, GIVEN.coarse)
    assert found.static.shape == (0, 24, 32)


def test_other_units_are_converted(tmp_path):
    celsius = dataset(("degC", "hPa"))
    celsius["2t"].values -= 273.15
    celsius["msl"].values /= 100
    path = written(tmp_path / "u.nc", celsius, invariant=relief())

    np.testing.assert_allclose(read_fields(path, channels()).coarse, GIVEN.coarse, rtol=1e-6)


def test_units_of_another_kind_are_refused(tmp_path):
    path = written(tmp_path / "u.nc", dataset(("m s-1", "Pa")), invariant=relief())

    with pytest.raises(ValueError, match="2t is in 'm s-1'"):
        read_fields(path, channels())


def test_rows_from_the_north_are_turned_round(tmp_path):
    south = dataset().assign_coords(lat=("y", 50 + np.arange(6.0)), lon=("x", np.arange(8.0)))
    north = south.isel(y=slice(None, None, -1))

    found = [
        read_fields(written(tmp_path / f"{n}.nc", d, invariant=relief()), channels())
        for n, d in enumerate((south, north))
    ]

    np.testing.assert_array_equal(found[1].coarse, GIVEN.coarse)
    np.testing.assert_array_equal(found[1].lat, found[0].lat)
    # The fine cells lie evenly within the coarse ones: four to a degree.
    np.testing.assert_allclose(found[0].lat[:, 0], 50 - 0.5 + (np.arange(24) + 0.5) / 4, atol=1e-5)
    np.testing.assert_allclose(found[0].lon[0], -0.5 + (np.arange(32) + 0.5) / 4, atol=1e-5)


def test_a_level_is_taken_by_its_label_or_from_all_levels(tmp_path):
    upper = (Channel("t", "K", 850.0), Channel("msl", "Pa"))
    levels = xr.Dataset(
        {
            "t": (("level", "y", "x"), np.stack([GIVEN.coarse[0] - 20, GIVEN.coarse[0]])),
            "msl": (("y", "x"), GIVEN.coarse[1]),
        },
        coords={"level": [500.0, 850.0]},
    )
    pascals = levels.assign_coords(level=("level", [50_000.0, 85_000.0], {"units": "Pa"}))
    label = xr.Dataset({"t850": (("y", "x"), GIVEN.coarse[0]), "msl": levels["msl"]})
    for number, one in enumerate((levels, pascals, label)):
        path = written(tmp_path / f"{number}.nc", one, invariant=relief())
        found = read_fields(path, channels(inputs=upper))
        np.testing.assert_array_equal(found.coarse, GIVEN.coarse)


def test_a_missing_channel_is_named_beside_what_there_is(tmp_path):
    path = written(tmp_path / "m.nc", dataset().rename({"2t": "t2m"}), invariant=relief())

    with pytest.raises(ValueError, match=r"lack 2t; needed are 2t, msl, and there are t2m, msl"):
        read_fields(path, channels())


def test_missing_values_and_maps_that_do_not_fit_are_refused(tmp_path):
    holes = dataset()
    holes["msl"].values[0, 2, 3] = np.nan
    small = relief().isel(Y=slice(20))
    with pytest.raises(ValueError, match="not finite in msl"):
        read_fields(written(tmp_path / "h.nc", holes, invariant=relief()), channels())
    with pytest.raises(ValueError, match=r"20 x 32 cells.*expected 24 x 32"):
        read_fields(written(tmp_path / "s.nc", dataset(), invariant=small), channels())
    with pytest.raises(ValueError, match=r"static fields of n\.nc lack elev_mean"):
        read_fields(written(tmp_path / "n.nc", dataset()), channels())


def test_what_is_no_file_of_this_kind_says_so(tmp_path):
    path = tmp_path / "text.nc"
    path.write_text("not a file of fields at all")

    with pytest.raises(ValueError, match=r"text.nc is no NetCDF file"):
        times_of(path)


def test_a_model_of_forecasts_needs_the_lead_time(tmp_path, file):
    known = channels(conditioning=Conditioning(lead=True))
    told = written(tmp_path / "l.nc", dataset().assign(lead=6.0), invariant=relief())

    assert read_fields(told, known).lead == 6.0
    with pytest.raises(ValueError, match="no variable lead"):
        read_fields(file, known)


# ------------------------------------------------------------------------------------ times
@pytest.fixture
def series(tmp_path):
    return written(tmp_path / "days.nc", dataset(times=3), invariant=relief())


def test_a_file_of_several_times_is_answered_time_by_time(series):
    found = dict(parts(Question(series, members=2)))

    assert list(found) == ["-20170605T0300", "-20170605T1500", "-20170606T0300"]
    for number, question in enumerate(found.values()):
        read = read_fields(series, channels(), question.sample)
        np.testing.assert_array_equal(read.coarse, GIVEN.coarse + np.float32(number))
        assert question.members == 2


def test_a_time_is_chosen_by_its_beginning(series):
    assert [q.sample for _, q in parts(Question(series, time="2017-06-05"))] == [0, 1]
    assert list(parts(Question(series, time="2017-06-05T15"))) == [
        ("", Question(series, time="2017-06-05T15", sample=1))
    ]
    with pytest.raises(ValueError, match="no time 2018; it has 3, 2017-06-05T03:00 to 2017-06-06"):
        list(parts(Question(series, time="2018")))


def test_fields_in_memory_and_a_chosen_sample_are_not_cut(series):
    for question in (Question(GIVEN), Question(series, sample=2)):
        assert list(parts(question)) == [("", question)]


def test_one_of_several_times_has_to_be_chosen(series):
    with pytest.raises(ValueError, match=r"holds 3 times.*sample=0 to sample=2"):
        read_fields(series, channels())
    with pytest.raises(ValueError, match="sample=3 is none of them"):
        read_fields(series, channels(), 3)


def test_patches_without_unique_times_go_by_their_number(tmp_path):
    path = tmp_path / "mini.nc"
    rows = np.array([[0, 0], [4, 8], [8, 0]])
    root = xr.Dataset({"time": ("sample", TIMES[[0, 0, 1]]), "coord": (("sample", "two"), rows)})
    patches = {
        name: (("sample", "y_in", "x_in"), np.stack([field[:3, :4] + n for n in range(3)]))
        for name, field in zip(("2t", "msl"), GIVEN.coarse, strict=True)
    }
    truth = {
        name: (("sample", "y", "x"), np.full((3, 12, 16), place, np.float32))
        for place, name in enumerate(("2t", "msl"))
    }
    written(path, root, input=xr.Dataset(patches), output=xr.Dataset(truth), invariant=relief())

    assert [ending for ending, _ in parts(Question(path))] == [
        "-00000", "-00001", "-20170605T1500"
    ]  # fmt: skip
    found = read_fields(path, channels(), 1)
    assert found.place == (4, 8)
    np.testing.assert_array_equal(found.static, GIVEN.static[:, 4:16, 8:24])
    np.testing.assert_array_equal(found.coarse, GIVEN.coarse[:, :3, :4] + np.float32(1))
    assert found.fine.shape == (2, 12, 16)
    assert (found.fine[1] == 1).all()


def test_times_without_dates_can_only_be_counted():
    with pytest.raises(ValueError, match="a time without a date"):
        Times(("", ""), "x.nc").starting("2017")
    assert Times(("", ""), "x.nc").starting("") == [0, 1]
    assert replace(Times(("",), "x.nc"), file="y").starting("") == [0]
