"""Ensembles of networks whose answers are known, and what a member does not depend on."""

import math
from dataclasses import replace

import downscaling
import numpy as np
import pytest
import torch
from downscaling import SCALE, answer, channels, downscaler, fields, random, white

from ansatz.engine.interruption import UnwantedError, while_wanted
from ansatz.weather import predictor
from ansatz.weather.grid import upsample
from ansatz.weather.model.config import Shape
from ansatz.weather.predictor import Downscaler, load_downscaler, tiles_of
from ansatz.weather.request import Question
from ansatz.weather.sampling.noise import noise_of

STD = np.array([5.0, 800.0])[:, None, None]


def interpolated(given):
    return upsample(torch.from_numpy(given.coarse), downscaling.FACTOR).numpy()


def white_member(given, seed, member):
    noise = noise_of(seed, member, interpolated(given).shape).numpy()
    return interpolated(given) + STD * np.array(SCALE)[:, None, None] * noise


def in_scores(found):
    return found.members / STD


@pytest.mark.parametrize(("sampler", "steps"), [("heun", 128), ("multistep", 128)])
def test_white_noise_is_sampled_as_what_it_was_drawn_from(sampler, steps):
    # The flow of white noise is x σ_max / √(σ_max² + 1) → x: a member keeps the noise it began as.
    given = fields()
    question = Question(given, members=3, seed=7, sampler=sampler, steps=steps)

    found = answer(downscaler(), question)

    wanted = [white_member(given, 7, member) for member in range(3)]
    np.testing.assert_allclose(in_scores(found), np.array(wanted) / STD, atol=2e-3)
    np.testing.assert_allclose(found.mean, interpolated(given), rtol=1e-6)
    assert found.members.dtype == np.float32


@pytest.mark.parametrize(
    ("kind", "sampler", "steps", "evaluations"),
    [
        ("denoiser", "multistep", 9, 9),
        ("denoiser", "multistep", 5, 5),
        ("denoiser", "heun", 18, 35),
        ("velocity", "multistep", 9, 8),
        ("generator", "multistep", 9, 1),
    ],
)
def test_an_answer_costs_as_many_evaluations_as_it_says(kind, sampler, steps, evaluations):
    stage = white(kind)
    calls = []
    stage.network.register_forward_hook(lambda *_: calls.append("second"))
    stage.mean.register_forward_hook(lambda *_: calls.append("mean"))

    found = answer(downscaler(stage), Question(fields(), 2, sampler=sampler, steps=steps))

    assert found.evaluations == calls.count("second") == evaluations
    assert calls.count("mean") == 1
    assert found.seconds > 0


def test_a_velocity_of_zero_leaves_noise_as_it_is_and_a_generator_of_zero_the_mean():
    given = fields()
    flowed = answer(downscaler(white("velocity")), Question(given, 1, seed=3))
    generated = answer(downscaler(white("generator")), Question(given, 2))

    np.testing.assert_allclose(flowed.members[0], white_member(given, 3, 0), rtol=1e-6)
    np.testing.assert_array_equal(generated.members, np.stack([generated.mean] * 2))


def test_a_member_is_the_same_in_any_ensemble_and_any_batch(monkeypatch):
    model = downscaler(random())
    question = Question(fields(), members=5, seed=11)
    whole = in_scores(answer(model, question))

    alone = in_scores(answer(model, replace(question, members=1, first=3)))
    more = in_scores(answer(model, replace(question, members=7)))
    monkeypatch.setattr(predictor, "TOGETHER", 1)
    one_by_one = in_scores(answer(model, question))
    monkeypatch.setattr(predictor, "TOGETHER", 2 * 24 * 32)
    in_pairs = in_scores(answer(model, question))

    assert np.abs(whole[0] - whole[1]).max() > 0.1
    for others in (more[:5], one_by_one, in_pairs):
        np.testing.assert_allclose(others, whole, rtol=0, atol=1e-4)
    np.testing.assert_allclose(alone[0], whole[3], rtol=0, atol=1e-4)


def test_seeds_give_different_ensembles():
    one, other = (answer(downscaler(), Question(fields(), 2, seed=seed)) for seed in (0, 1))

    assert np.abs(in_scores(one) - in_scores(other)).mean() > 0.1


def test_a_domain_from_tiles_is_the_whole_one_where_the_network_is_local():
    given = fields(20, 30)
    question = Question(given, members=2, seed=5, sampler="heun", steps=18)

    whole = answer(downscaler(), question)
    tiled = answer(downscaler(), replace(question, tile=32))

    np.testing.assert_allclose(in_scores(tiled), in_scores(whole), rtol=0, atol=2e-4)


def test_a_domain_that_halves_unevenly_is_answered_in_full():
    deep = Shape(width=8, levels=(1, 1, 1, 1, 1), blocks=1)
    given = fields(9, 5)

    found = answer(downscaler(white(shape=deep)), Question(given, 1, seed=2, steps=64))

    assert found.members.shape == (1, 2, 36, 20)
    wanted = white_member(given, 2, 0) / STD
    np.testing.assert_allclose(in_scores(found)[0], wanted, atol=1e-2)


@pytest.mark.parametrize(
    ("shape", "side", "tiles"),
    [
        ((64, 64), 0, (64, 64, 0)),
        ((72, 40), 0, (72, 40, 0)),
        ((512, 512), 0, (512, 512, 0)),
        ((1056, 1792), 0, (256, 256, 64)),
        ((200, 200), 62, (64, 64, 16)),
        ((40, 200), 64, (40, 64, 10)),
    ],
)
def test_large_domains_are_cut_and_small_ones_are_not(shape, side, tiles):
    found = tiles_of(torch.zeros(1, 1, *shape), side, white(), channels(factor=8))

    assert (found.height, found.width, found.overlap) == tiles
    assert found.together * found.height * found.width <= max(
        predictor.TOGETHER, found.height * found.width
    )


def test_an_answer_that_nobody_waits_for_is_given_up_between_two_evaluations():
    stage = random()
    calls = []
    stage.network.register_forward_hook(lambda *_: calls.append(1))
    model = downscaler(stage)
    tensors = model.encode(Question(fields(), members=4)).tensors

    with while_wanted(lambda: len(calls) < 3), pytest.raises(UnwantedError):
        model.forward(tensors)

    assert len(calls) == 3
    assert model.forward(tensors)["members"].shape == (4, 2, 24, 32)


def test_the_factor_of_the_calibration_widens_the_spread_about_the_mean():
    given = fields()
    plain = answer(downscaler(), Question(given, 3))
    wide = answer(Downscaler(white(), channels(), (1.5, 1.0)), Question(given, 3))

    deviation = [in_scores(found) - found.mean / STD for found in (plain, wide)]
    np.testing.assert_allclose(deviation[1][:, 0], 1.5 * deviation[0][:, 0], atol=2e-4)
    np.testing.assert_array_equal(wide.members[:, 1], plain.members[:, 1])


def test_the_block_means_of_all_members_are_what_was_given():
    given = fields()
    found = answer(downscaler(block_mean=("2t",)), Question(given, 3))

    blocks = found.members[:, 0].astype(np.float64).reshape(3, 6, 4, 8, 4).mean((2, 4))
    np.testing.assert_allclose(blocks, np.stack([given.coarse[0]] * 3), rtol=1e-6)


def test_a_first_stage_alone_answers_with_its_mean():
    given = fields()

    found = answer(downscaler(white().mean), Question(given, members=8))

    assert found.members.shape == (1, 2, 24, 32)
    np.testing.assert_array_equal(found.members[0], found.mean)
    np.testing.assert_allclose(found.mean, interpolated(given), rtol=1e-6)
    assert found.evaluations == 1


def test_a_checkpoint_answers_as_the_network_that_it_was_made_of(tmp_path):
    stage = random()
    downscaling.write_checkpoint(tmp_path / "run", stage, channels())

    found = answer(load_downscaler(tmp_path / "run"), Question(fields(), 2))

    np.testing.assert_array_equal(
        found.members, answer(downscaler(stage), Question(fields(), 2)).members
    )


def test_fields_that_do_not_fit_are_refused_with_what_is_needed():
    given = fields()
    for odd in (
        replace(given, coarse=given.coarse[:1]),
        replace(given, static=given.static[:, :-4]),
    ):
        with pytest.raises(ValueError, match=r"this model needs .* in this order"):
            downscaler().encode(Question(odd))


def test_the_summary_tells_the_extremes_and_the_cost():
    found = answer(downscaler(), Question(fields(), 4))
    row = found.summary()

    assert row["members"] == 4
    assert row["2t_min"] == found.members[:, 0].min()
    assert row["msl_max"] == found.members[:, 1].max()
    spread = found.members[:, 0].astype(np.float64).var(0, ddof=1).mean()
    assert math.isclose(float(row["2t_spread"]), math.sqrt(spread), rel_tol=1e-5)
    assert row["evaluations"] == 9
