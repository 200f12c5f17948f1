import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ansatz.core.findings import Case
from ansatz.report import page
from ansatz.weather.answer import Ensemble, Truth
from ansatz.weather.channels import Channel, Channels
from ansatz.weather.checks import CHECKS
from ansatz.weather.grid import block_mean, upsample
from ansatz.weather.inputs import Fields
from ansatz.weather.map_checks import check_maps, with_coast
from ansatz.weather.request import Question
from ansatz.weather.score_checks import check_scores
from ansatz.weather.split_checks import split_section
from ansatz.weather.splits import Distance
from ansatz.weather.spread_checks import check_spread
from ansatz.weather.structure_checks import (
    check_consistency,
    check_rain,
    check_spectra,
    check_tails,
)

FACTOR, SIDE, SPACING = 8, 32, 2.5
SIGMA = 0.5  # of what the mean leaves open
UNITS = {"10u": "m/s", "10v": "m/s", "2t": "K", "tp": "mm"}


def channels_of(*names):
    many = tuple(Channel(name, UNITS[name]) for name in names)
    zeros, ones = (0.0,) * len(names), (1.0,) * len(names)
    statics = ((Channel("lsm_mean"),), (0.0,), (1.0,))
    return Channels(
        many, many, statics[0], FACTOR, SPACING, zeros, ones, zeros, ones, *statics[1:],
        block_mean=names,
    )  # fmt: skip


def coarse_of(fine):
    return block_mean(torch.from_numpy(fine).double(), FACTOR).float().numpy()


def bilinear_of(coarse):
    return upsample(torch.from_numpy(coarse).double(), FACTOR).float().numpy()


def answer(members, coarse, channels, mean=None, **cost):
    members = np.asarray(members, np.float32)
    return Ensemble(members, members[0] if mean is None else mean, coarse, channels, **cost)


def drawn_case(seed, names=("2t",), *, size=8, width=1.0, time=None, member=0, place=(0, 0)):
    """A case whose truth is drawn like its members, if their width is 1."""
    rng = np.random.default_rng(seed)
    shape = (len(names), SIDE, SIDE)
    mean = bilinear_of(3 * rng.normal(size=(len(names), SIDE // FACTOR, SIDE // FACTOR)))
    truth = (mean + SIGMA * rng.standard_normal(shape)).astype(np.float32)
    members = mean + width * SIGMA * rng.standard_normal((size, *shape))
    channels, coarse = channels_of(*names), coarse_of(truth)
    land = (np.arange(SIDE) < SIDE // 2)[None, None].repeat(SIDE, 1).astype(np.float32)
    day = time or f"2020-01-{seed % 28 + 1:02}T00"
    fields = Fields(coarse, land, day, "here", place=place)
    bilinear = answer(bilinear_of(coarse)[None], coarse, channels, evaluations=0, seconds=0.001)
    return Case(
        f"case {seed}",
        Question(fields),
        answer(members, coarse, channels, mean, evaluations=10, seconds=4.0),
        Truth(truth, day, "here", member),
        {"bilinear": bilinear},
    )


def drawn(count=6, *names, **kwargs):
    return [drawn_case(seed, names or ("2t",), **kwargs) for seed in range(count)]


def findings(section):
    return {finding.name: finding for finding in section.findings}


def column(table, name):
    place = list(table.header).index(name)
    return {row[0]: row[place] for row in table.rows}


# ------------------------------------------------------------------------------------- scores
def test_a_reliable_ensemble_is_better_than_its_mean_by_the_root_of_two():
    found = findings(check_scores(drawn()))
    # CRPS s / sqrt(pi) of normal members, and mean absolute error s sqrt(2 / pi) of their center.
    assert found["crps_2t"].value == pytest.approx(SIGMA / math.sqrt(math.pi), rel=0.03)
    assert found["crps_2t_over_mean_only"].value == pytest.approx(1 / math.sqrt(2), rel=0.02)
    assert all(finding.passed for finding in found.values())


def test_the_truth_itself_is_without_error():
    case = drawn_case(0)
    perfect = replace(case.answer, members=case.truth.fine[None], mean=case.truth.fine)
    found = findings(check_scores([replace(case, answer=perfect)]))
    assert [found[f"{name}_2t"].value for name in ("crps", "mae", "rmse")] == [0, 0, 0]


def test_a_model_that_is_worse_than_its_input_fails():
    found = findings(check_scores(drawn(width=60.0)))
    assert not found["crps_2t_over_bilinear"].passed
    assert not found["crps_2t_over_mean_only"].passed


def test_errors_stand_beside_what_they_cost():
    (table,) = check_scores(drawn()).tables
    assert column(table, "network evaluations") == {"model": 10, "mean only": 1, "bilinear": 0}
    assert column(table, "s per member")["model"] == pytest.approx(4.0 / 8)
    crps, mae = column(table, "CRPS"), column(table, "MAE")
    assert crps["bilinear"] == pytest.approx(mae["bilinear"])
    assert crps["model"] < mae["model"]
    assert column(table, "spread-skill")["bilinear"] is None


def test_intervals_are_over_times_and_one_time_has_none():
    several, one = check_scores(drawn()), check_scores(drawn(time="2020-01-01T00"))
    low, high = findings(several)["crps_2t"].interval
    assert low < findings(several)["crps_2t"].value < high
    assert findings(one)["crps_2t"].interval is None
    assert "one time" in one.text
    assert "from" not in one.tables[0].header


def test_the_speed_of_a_wind_is_scored_beside_its_components():
    section = check_scores(drawn(4, "10u", "10v", "2t"))
    found = findings(section)
    assert {"crps_10u", "crps_10v", "crps_2t", "crps_wind10"} <= found.keys()
    # Two independent components of s: lengths of errors are Rayleigh's, s sqrt(pi / 2), and the
    # energy score is E|X - y| - E|X - X'| / 2 of normal vectors.
    exact = SIGMA * math.sqrt(math.pi / 2) * (math.sqrt(2) - math.sqrt(2) / 2)
    energy = column(section.tables[-1], "energy score")
    assert energy["model"] == pytest.approx(exact, rel=0.03)
    assert energy["mean only"] == pytest.approx(SIGMA * math.sqrt(math.pi / 2), rel=0.03)


def test_a_first_stage_alone_is_no_row_of_its_own():
    cases = drawn()
    cases = [replace(c, answer=replace(c.answer, members=c.answer.mean[None])) for c in cases]
    (table,) = check_scores(cases).tables
    assert [row[0] for row in table.rows] == ["model", "bilinear"]
    assert "single" in check_spread(cases).text


def test_a_baseline_that_changes_nothing_is_not_shown_again():
    cases = drawn(3, "2t", "tp")
    for case in cases:
        warm = case.others["bilinear"].members.copy()
        warm[:, 0] += 1
        case.others["lapse rate"] = replace(case.others["bilinear"], members=warm)
    temperature, rain = check_scores(cases).tables
    assert "lapse rate" in column(temperature, "MAE")
    assert "lapse rate" not in column(rain, "MAE")


def test_the_truth_may_come_with_the_file_that_was_asked():
    case = drawn_case(0)
    told = replace(case, truth=None, answer=replace(case.answer, truth=case.truth.fine))
    assert findings(check_scores([told]))["mae_2t"].value == pytest.approx(
        findings(check_scores([case]))["mae_2t"].value
    )


# ------------------------------------------------------------------------------------- spread
@pytest.mark.parametrize(
    ("width", "too_narrow", "too_wide"),
    [(0.5, True, False), (1.0, False, False), (1.6, False, True)],
)
def test_an_ensemble_has_to_be_as_wide_as_its_error(width, too_narrow, too_wide):
    found = findings(check_spread(drawn(width=width)))
    assert found["spread_skill_2t"].passed != too_narrow
    assert found["spread_skill_2t_most"].passed != too_wide


def test_the_rank_index_is_small_for_a_reliable_ensemble_only():
    narrow, reliable = (
        findings(check_spread(drawn(width=width)))["rank_index_2t"].value for width in (0.3, 1.0)
    )
    assert reliable < 0.1 < 0.5 < narrow


def real_members(width):
    """Twelve members at each of two places: their coarse cells differ too."""
    cases = []
    for place in ((0, 0), (0, SIDE)):
        base = drawn_case(place[1])
        rng = np.random.default_rng(place[1] + 1)
        for member in range(12):
            shift = 3 * np.kron(rng.normal(size=(1, 4, 4)), np.ones((FACTOR, FACTOR)))
            noise = SIGMA * rng.standard_normal((9, 1, SIDE, SIDE))
            fine = (base.answer.mean + shift + noise[0]).astype(np.float32)
            made = (base.answer.mean + shift + width * noise[1:]).astype(np.float32)
            fields = replace(base.request.input, place=place)
            truth = Truth(fine, "2020-01-01T00", "here", member)
            mine = replace(base.answer, members=made)
            cases.append(replace(base, request=Question(fields), answer=mine, truth=truth))
    return cases


@pytest.mark.parametrize("width", [0.5, 1.0])
def test_the_spread_of_real_members_is_compared_with_that_of_generated_ones(width):
    section = check_spread(real_members(width))
    inside = findings(section)["member_spread_inside_2t"]
    assert inside.value == pytest.approx(width, rel=0.05)
    assert inside.passed == (width == 1.0)
    ((_, _, real, _, real_inside, _),) = section.tables[0].rows
    assert real == pytest.approx(math.hypot(3, SIGMA), rel=0.2)  # 16 draws of 12 each
    assert real_inside == pytest.approx(SIGMA * math.sqrt(1 - 1 / FACTOR**2), rel=0.02)
    assert "12 real members, at 2 times and places" in section.tables[0].caption


def test_cases_of_different_times_are_no_ensemble():
    assert not check_spread(drawn()).tables


# ---------------------------------------------------------------------------------- structure
def test_members_have_the_variance_of_the_truth_where_the_mean_lacks_it():
    section = check_spectra(drawn())
    (ralsd,) = section.findings
    assert ralsd.value < 0.5 < 3 < ralsd.bound
    assert len(section.figures) == 1


def test_winds_have_spectra_of_divergence_and_vorticity():
    found = findings(check_spectra(drawn(3, "10u", "10v")))
    assert found.keys() == {"ralsd_10u", "ralsd_10v", "ralsd_divergence10", "ralsd_vorticity10"}
    assert all(finding.passed for finding in found.values())


def test_tails_of_a_stretched_ensemble_are_too_long_by_as_much():
    cases = drawn(size=1)
    for case in cases:
        case.answer.members[:] = 1.5 * case.truth.fine
    median = np.median([case.truth.fine for case in cases])
    for case in cases:
        case.answer.members[:] -= 0.5 * median
    found = findings(check_tails(cases))
    assert found["tail_high_2t"].value == pytest.approx(1.5, rel=1e-4)
    assert found["tail_low_2t"].value == pytest.approx(1.5, rel=1e-4)


def rain_cases():
    cases = drawn(3, "tp")
    for case in cases:
        case.truth.fine[:] = np.maximum(case.truth.fine, 0)
        case.answer.members[:] = case.truth.fine
    return cases


def test_rain_at_the_right_place_has_a_fractions_skill_score_of_one():
    section = check_rain(rain_cases())
    (held,) = section.findings
    assert (held.value, held.unit) == (1.0, "")
    assert held.passed
    assert all(row[2] == 1.0 for row in section.tables[0].rows)
    assert check_rain(drawn()).text == "No rain was asked for."
    assert "tail_low_tp" not in findings(check_tails(rain_cases()))


def test_a_dry_day_has_neither_scores_nor_a_spectrum():
    cases = rain_cases()
    for case in cases:
        case.truth.fine[:] = 0
    assert not check_rain(cases).findings
    assert not check_spectra(cases).findings


def test_block_means_that_are_kept_deviate_by_nothing():
    cases = drawn()
    before = findings(check_consistency(cases))["coarse_deviation_2t"].value
    for case in cases:
        gap = coarse_of(case.answer.members) - case.answer.coarse
        case.answer.members[:] -= np.kron(gap, np.ones((FACTOR, FACTOR)))
    after = findings(check_consistency(cases))["coarse_deviation_2t"].value
    # Before, truth and member are two draws, each a mean over a block of 64.
    assert before == pytest.approx(math.sqrt(2) * SIGMA / FACTOR, rel=0.15)
    assert after < 1e-5


# --------------------------------------------------------------------------------------- maps
def test_the_worst_case_is_shown_first():
    cases = drawn(5)
    cases[3].answer.members[:] += 20
    section = check_maps(cases)
    assert [("case 3" in figure.caption) for figure in section.figures] == [True, False]
    assert len(check_maps(cases[:1]).figures) == 1


def test_the_coast_is_a_line_between_land_and_sea():
    land = np.zeros((4, 4))
    land[:2] = 1  # the southern half
    picture = np.full((12, 12, 3), 200, np.uint8)
    dark = (with_coast(picture, land) != 200).all(-1)
    assert dark[6].all()
    assert dark.sum() == 12
    assert (picture == 200).all()


# -------------------------------------------------------------------------------- the whole page
@pytest.mark.parametrize("truth", [True, False])
def test_all_sections_make_a_page(truth):
    cases = drawn(2, "10u", "10v")
    asked = cases if truth else [replace(case, truth=None, others={}) for case in cases]
    sections = [check(asked) for check in CHECKS]
    assert page.render(sections, title="weather", subtitle="", provenance={})
    names = {finding.name for section in sections for finding in section.findings}
    assert ("crps_wind10" in names) == truth
    assert truth or all(name.startswith("coarse_deviation") for name in names)


def test_splits_of_one_place_have_to_be_apart_in_time():
    near = Distance("train", "test", 0.0, 0.0, {"2t": 0.9}, {"2t": 0.3})
    apart = replace(near, km=40.0)
    assert not findings(split_section([near]))["split_hours"].passed
    assert findings(split_section([apart]))["split_hours"].passed
    assert split_section([near]).tables[0].rows == [["train, test", 0.0, 0.0, 0.9, 0.3]]
