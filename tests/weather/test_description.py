import numpy as np
import pytest

from ansatz.weather.dataset import shipped
from ansatz.weather.description import Files, read_description

TEXT = """
title = "Winds"
factor = 4
spacing = 2.5

[[outputs]]
name = "10u"

[[regions]]
name = "north"
fine = "a.nc"

[[regions]]
name = "south"
fine = { files = ["b.nc", "c.nc"], group = "output" }
coarse = "d.nc"

[[splits]]
name = "train"
last = 2020-01-02T00:00:00Z

[[splits]]
name = "test"
first = 2020-01-03T01:00:00+01:00
regions = ["south"]
"""


def read(folder, text):
    path = folder / "data.toml"
    path.write_text(text)
    return read_description(path)


def test_a_description_says_where_everything_is(tmp_path):
    found = read(tmp_path, TEXT)
    assert [region.fine.files for region in found.regions] == [("a.nc",), ("b.nc", "c.nc")]
    assert found.regions[0].coarse == "block mean"
    assert found.regions[1].coarse == Files(("d.nc",))
    assert found.given == found.outputs


@pytest.mark.parametrize(
    ("time", "region", "split"),
    [
        ("2020-01-02T00:00", "north", "train"),
        ("2020-01-02T00:01", "north", None),
        ("2020-01-03T00:00", "south", "test"),  # 01:00 in the zone of the file
        ("2020-01-02T23:59", "south", None),
        ("2020-01-03T00:00", "north", None),
    ],
)
def test_both_ends_of_a_period_belong_to_it(tmp_path, time, region, split):
    assert read(tmp_path, TEXT).split_of(np.datetime64(time), region) == split


def test_a_time_in_two_splits_is_refused(tmp_path):
    twice = TEXT + '[[splits]]\nname = "validation"\nlast = 2020-01-01T00:00:00Z\n'
    with pytest.raises(ValueError, match="is in the splits train, validation"):
        read(tmp_path, twice).split_of(np.datetime64("2019-06-01"), "north")


def test_every_mistake_is_told_with_its_place(tmp_path):
    wrong = TEXT.replace("factor = 4", "factor = 0").replace('coarse = "d.nc"', 'corse = "d.nc"')
    with pytest.raises(ValueError) as error:
        read(tmp_path, wrong)
    told = str(error.value).splitlines()
    assert len(told) == 2
    assert "factor: Input should be greater than or equal to 1" in told[0]
    assert "regions.1.corse" in told[1]


def test_a_split_of_an_unknown_region_is_refused(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'south'"):
        read(tmp_path, TEXT.replace('["south"]', '["souht"]'))


def test_files_made_ready_are_those_of_known_regions(tmp_path):
    ready = '[[ready]]\nname = "nroth"\nfine = "e.nc"\n'
    with pytest.raises(ValueError, match="did you mean 'north'"):
        read(tmp_path, TEXT + ready)


def test_a_static_field_over_an_unknown_one_is_refused(tmp_path):
    statics = '[[statics]]\nname = "z"\nover = "lsn"\n[[statics]]\nname = "lsm"\n'
    with pytest.raises(ValueError, match="did you mean 'lsm'"):
        read(tmp_path, TEXT + statics)


def test_what_is_no_toml_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is no TOML"):
        read(tmp_path, "factor = = 4")


def test_a_pattern_that_fits_nothing_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no \*.nc"):
        Files(("*.nc",)).paths(tmp_path)


@pytest.mark.parametrize("name", ["uk2km", "hrrr3km", "arome25"])
def test_shipped_descriptions_are_understood(name):
    found = read_description(shipped(name))
    assert found.license
    assert {period.name for period in found.splits} == {"train", "validation", "test"}
