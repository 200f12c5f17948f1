import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansatz.aero.drivaerml import (
    MISSING_RUNS,
    RUNS,
    STREAM,
    format_runs,
    manifest,
    parse_runs,
)


def test_the_public_data_set_has_484_runs():
    assert len(RUNS) == 484
    assert len(MISSING_RUNS) == 16
    assert parse_runs("all") == RUNS


def test_the_cars_drive_at_140_kilometers_per_hour():
    assert STREAM.speed * 3.6 == pytest.approx(140, abs=0.01)


def test_runs_are_numbers_and_ranges_each_counted_once():
    assert parse_runs(" 7, 1 - 3,205,2 ") == (1, 2, 3, 7, 205)


@settings(max_examples=50, deadline=None)
@given(st.sets(st.sampled_from(RUNS), min_size=1))
def test_what_is_written_as_ranges_reads_back(runs):
    assert parse_runs(format_runs(runs)) == tuple(sorted(runs))


@pytest.mark.parametrize("text", ["", "1,", "a", "5-", "9-3", "1..4", "-3", "1.5"])
def test_runs_that_cannot_be_read_are_quoted(text):
    with pytest.raises(ValueError, match="cannot read the runs"):
        parse_runs(text)


def test_withheld_runs_are_named_and_not_dropped():
    with pytest.raises(
        LookupError, match=r"no public runs 167,211: .* Ask for runs=160-166,168-210"
    ):
        parse_runs("160-211")


def test_the_advice_for_the_rest_can_be_followed():
    with pytest.raises(LookupError) as caught:
        parse_runs("1-500")

    assert parse_runs(str(caught.value).rpartition("runs=")[2]) == RUNS


@pytest.mark.parametrize(("text", "named"), [("0", "0"), ("600", "600"), ("499-999999999", "501")])
def test_runs_beyond_the_last_are_named(text, named):
    with pytest.raises(LookupError, match=f"no public runs {named}: "):
        parse_runs(text)


def test_a_run_has_the_files_of_its_kinds():
    files = manifest("12", "stl,boundary,volume,forces,parameters,images,slices").files

    assert [file.path for file in files] == [
        "run_12/drivaer_12.stl",
        "run_12/boundary_12.vtp",
        "run_12/volume_12.vtu.*.part",
        "run_12/force_mom_12.csv",
        "run_12/force_mom_constref_12.csv",
        "run_12/geo_ref_12.csv",
        "run_12/geo_parameters_12.csv",
        "run_12/images/*",
        "run_12/slices/*",
    ]
    assert {file.group for file in files} == {"run_12"}


def test_the_tables_of_all_runs_lie_at_the_root():
    paths = [file.path for file in manifest("1", "tables").files]

    assert paths == ["force_mom_all.csv", "force_mom_constref_all.csv", "geo_parameters_all.csv"]


def test_an_unknown_kind_offers_the_nearest():
    with pytest.raises(LookupError, match="did you mean 'boundary'"):
        manifest("1", "stl, boundry")


def test_a_recipe_can_bind_the_files_and_a_user_can_choose_among_them():
    mirrored = manifest(runs="1-2", kinds="stl", source="file:///data/cars")

    assert mirrored.source == "file:///data/cars"
    assert [file.path for file in mirrored.files] == [
        "run_1/drivaer_1.stl",
        "run_2/drivaer_2.stl",
    ]
    assert len(manifest().files) == 484 * 4
    assert manifest().license == "CC-BY-SA-4.0"
