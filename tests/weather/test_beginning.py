"""How stages begin with a store and a first stage, and how they are read again."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ansatz.core.recipe import Sample
from ansatz.store.samples import fill
from ansatz.weather.beginning import begin, measured_scale, read_stage
from ansatz.weather.channels import FILE, Channel, Channels, Conditioning
from ansatz.weather.condition import condition
from ansatz.weather.grid import upsample
from ansatz.weather.model.config import Mean, Residual, Shape
from ansatz.weather.model.stages import MeanStage, ResidualStage

TINY = Shape(width=8, levels=(1, 2), blocks=1)
CHANNELS = Channels(
    inputs=(Channel("msl", "Pa"), Channel("2t", "K")),
    outputs=(Channel("2t", "K"), Channel("gust", "m s-1")),
    statics=(Channel("orog", "m"),),
    factor=4,
    spacing=2.5,
    input_mean=(101_000.0, 280.0),
    input_std=(900.0, 5.0),
    output_mean=(281.0, 9.0),
    output_std=(6.0, 3.0),
    static_mean=(200.0,),
    static_std=(150.0,),
)


def fields(rng, coarse_shape=(3, 4)):
    """A sample in the units of its channels."""
    fine_shape = tuple(4 * size for size in coarse_shape)
    coarse = [rng.normal(101_000, 900, coarse_shape), rng.normal(280, 5, coarse_shape)]
    fine = [rng.normal(281, 6, fine_shape), rng.normal(9, 3, fine_shape)]
    arrays = {"coarse": coarse, "fine": fine, "static": [rng.normal(200, 150, fine_shape)]}
    return {name: np.array(value, np.float32) for name, value in arrays.items()}


def store(folder, channels=CHANNELS, count=5):
    rng = np.random.default_rng(0)
    meta = {"time": "2016-02-01T00:00:00Z", "region": "r", "member": 0, "row": 0, "col": 0}
    fill(
        (Sample(f"s_{n}", "train", fields(rng), {**meta, "lead": 6.0 * n}) for n in range(count)),
        folder,
    )
    channels.write(folder / FILE)
    return folder


def finished(folder, network, config, channels=CHANNELS):
    """A folder as training leaves it."""
    folder.mkdir()
    save_file(network.state_dict(), folder / "model.safetensors")
    said = {"recipe": {"model": json.loads(json.dumps(asdict(config)))}}
    (folder / "provenance.json").write_text(json.dumps(said))
    channels.write(folder / FILE)
    return folder


@pytest.fixture
def first(tmp_path):
    torch.manual_seed(1)
    config = Mean(TINY)
    stage = begin(config, store(tmp_path / "store"), None)
    stage.network.last.weight.data.normal_()
    return finished(tmp_path / "first", stage, config)


def test_channels_are_those_of_the_store(tmp_path):
    options = Conditioning(lapse=True, lead=True)
    folder = store(tmp_path / "store", replace(CHANNELS, conditioning=options))
    stage = begin(Mean(TINY), folder, None)
    assert isinstance(stage, MeanStage)
    assert stage(torch.zeros(1, 5, 8, 8)).shape == (1, 2, 8, 8)


def test_a_fresh_mean_is_the_interpolated_input_in_its_units(tmp_path):
    stage = begin(Mean(TINY), store(tmp_path / "store"), None).eval()
    arrays = fields(np.random.default_rng(3))
    coarse, static = (torch.from_numpy(arrays[name])[None] for name in ("coarse", "static"))
    with torch.no_grad():
        found = CHANNELS.physical(stage(condition(coarse, static, CHANNELS, Conditioning())))
    torch.testing.assert_close(found[:, 0], upsample(coarse, 4)[:, 1], rtol=0, atol=0.02)
    torch.testing.assert_close(found[:, 1], torch.full((1, 12, 16), 9.0), rtol=0, atol=0.01)


def test_one_that_follows_nothing_is_the_climate(tmp_path):
    config = Mean(TINY, follows_input=False)
    stage = begin(config, store(tmp_path / "store"), None).eval()
    with torch.no_grad():
        assert stage(torch.randn(1, 3, 8, 8)).abs().max() < 0.01


def test_a_second_stage_has_the_weights_of_the_first_and_the_scale_it_leaves(tmp_path, first):
    folder = tmp_path / "store"
    stage = begin(Residual(TINY, mean=Mean(TINY)), folder, first)
    assert isinstance(stage, ResidualStage)
    mean = read_stage(first)
    for name, value in mean.state_dict().items():
        assert torch.equal(value, stage.mean.state_dict()[name]), name
    left, rng = [], np.random.default_rng(0)
    for _ in range(5):
        arrays = {k: torch.from_numpy(v)[None] for k, v in fields(rng).items()}
        given = condition(arrays["coarse"], arrays["static"], CHANNELS, Conditioning())
        with torch.no_grad():
            left.append(CHANNELS.normalized(arrays["fine"]) - mean(given))
    expected = torch.cat(left).square().mean((0, 2, 3)).sqrt()
    torch.testing.assert_close(stage.scale, expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(measured_scale(mean, folder, CHANNELS), stage.scale)


@pytest.mark.parametrize("kind", ["denoiser", "velocity", "generator"])
def test_a_finished_run_is_read_as_it_was(tmp_path, first, kind):
    config = Residual(TINY, kind, Mean(TINY))
    stage = begin(config, tmp_path / "store", first)
    found = read_stage(finished(tmp_path / "second", stage, config))
    assert isinstance(found, ResidualStage)
    assert found.kind == kind
    assert not found.training
    for name, value in stage.state_dict().items():
        assert torch.equal(value, found.state_dict()[name]), name


def test_a_second_stage_needs_a_first(tmp_path):
    with pytest.raises(ValueError, match="first=FOLDER"):
        begin(Residual(TINY), store(tmp_path / "store"), None)


def test_a_first_stage_of_another_shape_is_refused(tmp_path, first):
    config = Residual(TINY, mean=Mean(replace(TINY, width=16)))
    with pytest.raises(ValueError, match=r"width=8.*builds upon.*width=16.*model\.mean"):
        begin(config, tmp_path / "store", first)


def test_a_second_stage_is_no_first_one(tmp_path, first):
    config = Residual(TINY, mean=Mean(TINY))
    second = finished(tmp_path / "second", begin(config, tmp_path / "store", first), config)
    with pytest.raises(ValueError, match="a second stage, and what is needed is a first"):
        begin(config, tmp_path / "store", second)


def test_a_checkpoint_of_another_subject_is_refused(tmp_path, first):
    (first / "provenance.json").write_text('{"recipe": {"model": {"layers": 6}}}')
    with pytest.raises(ValueError, match=r"describes no network of weather.*layers"):
        read_stage(first)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no finished training run"):
        read_stage(tmp_path)
