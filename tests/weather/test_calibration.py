"""The factor of the spread: found where ensembles are too narrow, left alone where they are not."""

import json

import numpy as np
import pytest
from downscaling import FACTOR, SCALE, answer, channels, fields, white, write_checkpoint
from safetensors.numpy import save_file

from ansatz.store.samples import KEY
from ansatz.weather import calibration
from ansatz.weather.calibration import FACTORS, calibrate, fitted
from ansatz.weather.channels import read_channels
from ansatz.weather.predictor import load_downscaler
from ansatz.weather.request import Question


def samples(factors, count=12, members=8, times=6, seed=0):
    """Truths that spread `factors` times as much as the ensembles, by output."""
    rng = np.random.default_rng(seed)
    wide = np.array(factors)[:, None, None]
    for number in range(count):
        mean = rng.standard_normal((2, 24, 24))
        residual = rng.standard_normal((members, 2, 24, 24))
        truth = mean + wide * rng.standard_normal((2, 24, 24))
        yield f"2017-06-{1 + number % times:02}", mean, mean + residual, truth


def test_ensembles_that_spread_too_little_or_too_much_are_mended():
    found = fitted(list(samples((1.5, 0.6))), channels())

    np.testing.assert_allclose(found.factors, (1.5, 0.6), rtol=0.06)
    assert (np.array(found.crps_after) < found.crps_before).all()
    assert found.outputs == ("2t", "msl")
    assert (found.samples, found.members) == (12, 8)


def test_ensembles_that_are_right_stay_nearly_as_they_are():
    found = fitted(list(samples((1.0, 1.0))), channels())

    np.testing.assert_allclose(found.factors, 1, rtol=0.05)


def test_what_helps_one_half_of_the_times_and_not_the_other_is_not_kept():
    narrow, wide = samples((0.6, 1.0), seed=1), samples((1.6, 1.0), seed=2)
    pairs = [("2017-06-01", *pair[1:]) for pair in narrow]
    pairs += [("2017-06-02", *pair[1:]) for pair in wide]

    found = fitted(pairs, channels())

    assert found.factors[0] == 1
    assert found.crps_after[0] > found.crps_before[0]


def test_one_time_is_halved_by_its_samples():
    found = fitted(list(samples((1.5, 1.0), times=1)), channels())

    np.testing.assert_allclose(found.factors[0], 1.5, rtol=0.06)


def test_the_middle_factor_changes_nothing():
    assert FACTORS[len(FACTORS) // 2] == pytest.approx(1, abs=1e-12)


def write_store(folder, wide, count=6):
    """Validation samples whose residual is `wide` times what the network samples."""
    folder.mkdir()
    channels().write(folder / "channels.json")
    rng = np.random.default_rng(5)
    for number in range(count):
        given = fields(4, 4, seed=number)
        side = 4 * FACTOR
        noise = rng.standard_normal((2, side, side))
        std = np.array([5.0, 800.0])[:, None, None] * np.array(SCALE)[:, None, None]
        mean = answer(mean_only(), Question(given)).mean
        about = {
            "time": f"2017-06-0{1 + number % 3}T00:00",
            "region": "",
            "member": 0,
            "row": 0,
            "col": 0,
            "lead": 0.0,
        }
        arrays = {
            "coarse": given.coarse,
            "static": given.static,
            "fine": (mean + wide * std * noise).astype(np.float32),
        }
        save_file(
            arrays,
            folder / f"validation-{number}.safetensors",
            {KEY: json.dumps({"split": "validation", "meta": about})},
        )


def mean_only():
    from downscaling import downscaler

    return downscaler(white().mean)


def test_a_finished_run_is_made_ready_for_prediction(tmp_path):
    write_store(tmp_path / "store", wide=1.6)
    run = tmp_path / "run"
    write_checkpoint(run, white(), channels())
    (run / "channels.json").unlink()

    calibrate(run, tmp_path / "store")

    assert read_channels(run) == channels()
    told = json.loads((run / "calibration.json").read_text())
    np.testing.assert_allclose(told["factors"], 1.6, rtol=0.15)  # as well as nine steps sample
    assert load_downscaler(run).spread == tuple(told["factors"])
    calibrate(run, tmp_path / "store")  # again: the factors are not those of an earlier fit
    assert json.loads((run / "calibration.json").read_text()) == told


def test_a_first_stage_gets_its_channels_and_no_factors(tmp_path):
    write_store(tmp_path / "store", wide=1.0)
    run = tmp_path / "run"
    write_checkpoint(run, white().mean, channels())

    calibrate(run, tmp_path / "store")

    assert not (run / calibration.CALIBRATION).exists()
    assert load_downscaler(run).spread == ()
