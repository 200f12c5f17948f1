"""The embedded winds, from files to batches and cases; crops of them, and their baselines."""

import hashlib
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from ansatz.core.recipe import Manifest, Position
from ansatz.store.samples import Store
from ansatz.weather.baselines import bilinear, climatology, lapse_rate
from ansatz.weather.channels import Channel, Channels, Conditioning, read_channels
from ansatz.weather.condition import condition
from ansatz.weather.crops import crops
from ansatz.weather.dataset import Downscaling
from ansatz.weather.grid import block_mean, upsample

pytest.importorskip("xarray")
pytest.importorskip("h5netcdf")

WINDS = Path(str(files("ansatz.weather") / "embedded/metcoop"))
DATA = Downscaling(Manifest("embedded:ansatz.weather/embedded/metcoop", ()))
MODEL = torch.nn.Identity()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("metcoop")
    DATA.fill(WINDS, folder)
    return folder


def test_the_embedded_files_are_those_of_the_card_and_small():
    card = (WINDS / "README.md").read_text()
    found = sorted(WINDS.glob("*.nc"))
    assert len(found) == 2
    assert sum(path.stat().st_size for path in found) < 4.5e6
    for path in found:
        assert re.search(f"{path.name}.*{hashlib.sha256(path.read_bytes()).hexdigest()}", card)


def test_training_and_test_are_different_storms(store):
    samples = Store(store)
    regions = {
        split: {samples.meta(name)["region"] for name in samples.names(split)}
        for split in ("train", "validation", "test")
    }
    assert regions == {
        "train": {"storm-2016"},
        "validation": {"storm-2016"},
        "test": {"storm-2015"},
    }
    assert [len(samples.names(split)) for split in regions] == [33, 10, 34]


def test_statistics_are_over_all_cells_of_the_training_split_alone(store):
    samples, channels = Store(store), read_channels(store)
    for kind, mean, std in (
        ("fine", channels.output_mean, channels.output_std),
        ("coarse", channels.input_mean, channels.input_std),
    ):
        every = np.stack([samples.load(name)[kind] for name in samples.names("train")])
        np.testing.assert_allclose(mean, every.mean((0, 2, 3), dtype=np.float64), rtol=1e-6)
        np.testing.assert_allclose(std, every.std((0, 2, 3), dtype=np.float64), rtol=1e-6)


def test_coarse_winds_are_the_block_means_of_the_fine_ones(store):
    assert read_channels(store).block_mean == ("10u", "10v")
    arrays = Store(store).load("storm-2015-20151117T0600")
    mean = block_mean(torch.from_numpy(arrays["fine"]), 8)
    np.testing.assert_allclose(arrays["coarse"], mean.numpy(), atol=1e-5)


def test_the_same_files_make_the_same_store(store, tmp_path):
    again = DATA.fill(WINDS, tmp_path)
    assert again == DATA.fill(WINDS, store)
    told = replace(DATA, conditioning=Conditioning(lead=True)).fill(WINDS, tmp_path)
    assert told.sha256 != again.sha256


def test_a_temperature_at_height_cannot_be_made_of_winds(tmp_path):
    data = replace(DATA, conditioning=Conditioning(lapse=True))
    with pytest.raises(ValueError, match="a temperature at the height of the relief needs"):
        data.fill(WINDS, tmp_path)


def test_data_of_ones_own_are_not_fetched(tmp_path):
    own = replace(DATA, description=str(tmp_path / "mine.toml"))
    assert own.manifest().files == ()
    assert replace(DATA, description="uk2km").manifest() == DATA.origin


def test_a_description_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no .*mine\.toml"):
        replace(DATA, description=str(tmp_path / "mine.toml")).fill(WINDS, tmp_path / "store")


# ---------------------------------------------------------------------------------- batches
def test_a_batch_is_a_function_of_its_position(store):
    batches = DATA.batches(store, "train", 4)
    one, again = (batches(Position(7, 3), MODEL) for _ in range(2))
    other = batches(Position(7, 4), MODEL)
    assert one.keys() == {"condition", "fine", "place"}
    for key, values in one.items():
        assert torch.equal(values, again[key])
        assert not torch.equal(values, other[key])


def test_ranks_take_different_times_of_one_order(store):
    names = Store(store).names("train")
    taken = [
        name
        for rank in range(3)
        for name in np.array(names)[Position(0, 0, rank=rank, ranks=3).indices(33, 11)]
    ]
    assert sorted(taken) == sorted(names)
    shapes = DATA.batches(store, "train", 2)(Position(0, 0, rank=2, ranks=3), MODEL)
    assert shapes["fine"].shape == shapes["condition"].shape == (2, 2, 64, 64)


def test_a_crop_is_cut_from_the_condition_of_the_whole_field(store):
    batch = DATA.batches(store, "train", 33)(Position(1, 0), MODEL)
    order = Position(1, 0).indices(33, 33)
    samples, channels = Store(store), read_channels(store)
    names = samples.names("train")
    for at, index in enumerate(order.tolist()):
        arrays = {k: torch.from_numpy(v)[None] for k, v in samples.load(names[index]).items()}
        whole = condition(arrays["coarse"], arrays["static"], channels, Conditioning())[0]
        row, column = batch["place"][at].tolist()
        assert row % 8 == column % 8 == 0
        cut = (slice(row, row + 64), slice(column, column + 64))
        torch.testing.assert_close(batch["condition"][at], whole[:, *cut], rtol=1e-4, atol=1e-5)
        fine = channels.normalized(arrays["fine"])[0]
        assert torch.equal(batch["fine"][at], fine[:, *cut])


def test_crops_reach_every_corner_of_a_field(store):
    batch = crops(store, "train", 33, 64)
    places = torch.cat([batch(Position(0, step), MODEL)["place"] for step in range(20)])
    # 200 x 168 cells: coarse rows 0 to 17, columns 0 to 13.
    assert set(places[:, 0].tolist()) == set(range(0, 137, 8))
    assert set(places[:, 1].tolist()) == set(range(0, 105, 8))


def test_a_field_smaller_than_the_crop_is_taken_whole_that_way(store):
    batch = crops(store, "test", 2, 96)(Position(0, 0), MODEL)
    assert batch["fine"].shape == (2, 2, 96, 80)
    whole = crops(store, "test", 2, 0)(Position(0, 0), MODEL)
    assert whole["fine"].shape == (2, 2, 144, 80)


def test_a_crop_of_broken_coarse_cells_is_refused(store):
    with pytest.raises(ValueError, match="a crop of 60 fine cells"):
        crops(store, "train", 2, 60)


# ---------------------------------------------------------------------- cases and baselines
def test_a_case_asks_without_the_truth(store):
    name, question, truth = next(iter(DATA.cases(store, "test")))
    arrays = Store(store).load(name)
    np.testing.assert_array_equal(question.input.coarse, arrays["coarse"])
    np.testing.assert_array_equal(truth.fine, arrays["fine"])
    assert question.input.fine is None
    assert (truth.time, truth.region) == ("2015-11-16T00:00:00", "storm-2015")
    assert question.input.lat.shape == truth.fine.shape[1:]


def test_bilinear_is_the_interpolated_input(store):
    _, question, truth = next(iter(DATA.cases(store, "test")))
    answer = bilinear(store)(question)
    expected = upsample(torch.from_numpy(question.input.coarse), 8).numpy()
    assert answer.members.shape == (1, *truth.fine.shape)
    np.testing.assert_allclose(answer.members[0], expected, atol=1e-5)
    assert answer.evaluations == 0


def test_climate_is_the_mean_at_a_place_known_and_one_number_elsewhere(store):
    samples, channels = Store(store), read_channels(store)
    answer = climatology(store)
    _, here, _ = next(iter(DATA.cases(store, "validation")))
    _, there, _ = next(iter(DATA.cases(store, "test")))
    every = np.stack([samples.load(name)["fine"] for name in samples.names("train")])
    np.testing.assert_allclose(answer(here).members[0], every.mean(0), atol=1e-4)
    np.testing.assert_allclose(answer(there).mean.std((1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(answer(there).mean[:, 0, 0], channels.output_mean, rtol=1e-6)


def test_there_is_no_lapse_rate_without_temperature(store):
    _, question, _ = next(iter(DATA.cases(store, "test")))
    assert lapse_rate(store)(question) is None


def test_the_lapse_rate_answers_where_the_relief_makes_the_weather(store, tmp_path):
    """Air of 290 K at sea level that is 6.5 K/km colder above: the answer is exact."""
    rough = 1000 * np.random.default_rng(0).random((16, 24)).astype(np.float32)
    mean = rough.reshape(2, 8, 3, 8).mean((1, 3))
    fine = 290 - 0.0065 * rough
    coarse = 290 - 0.0065 * mean
    Channels(
        inputs=(Channel("2t", "K"),),
        outputs=(Channel("tp", "mm"), Channel("2t", "K")),
        statics=(Channel("orog", "m"),),
        factor=8,
        spacing=2.0,
        input_mean=(0.0,),
        input_std=(1.0,),
        output_mean=(-0.5, 0.0),
        output_std=(1.0, 1.0),
        static_mean=(0.0,),
        static_std=(1.0,),
        positive=("tp",),
    ).write(tmp_path / "channels.json")
    _, question, _ = next(iter(DATA.cases(store, "test")))
    fields = replace(question.input, coarse=coarse[None], static=rough[None])

    answer = lapse_rate(tmp_path)(replace(question, input=fields))

    np.testing.assert_allclose(answer.members[0, 1], fine, atol=1e-4)
    assert (answer.members[0, 0] == 0).all()  # rain is never negative
