"""Small networks whose answers are known: all that tests of prediction need of training."""

import json
from dataclasses import asdict

import numpy as np
import torch
from safetensors.torch import save_file

from ansatz.weather.channels import FILE, Channel, Channels
from ansatz.weather.inputs import Fields
from ansatz.weather.model.config import Mean, Residual, Shape
from ansatz.weather.predictor import Downscaler

FACTOR = 4
SCALE = (0.3, 0.1)
TINY = Shape(width=8, levels=(1, 1), blocks=1)


def channels(**changes):
    """Temperature and pressure from the same, coarse, with the relief."""
    known = {
        "inputs": (Channel("2t", "K"), Channel("msl", "Pa")),
        "outputs": (Channel("2t", "K"), Channel("msl", "Pa")),
        "statics": (Channel("elev_mean", "m"),),
        "factor": FACTOR,
        "spacing": 2.5,
        "input_mean": (285.0, 101_000.0),
        "input_std": (5.0, 800.0),
        "output_mean": (285.0, 101_000.0),
        "output_std": (5.0, 800.0),
        "static_mean": (100.0,),
        "static_std": (50.0,),
    }
    return Channels(**(known | changes))


def white(kind="denoiser", shape=TINY):
    """Both stages: the mean is the interpolated input, and the residual white noise.

    A network that says 0 is the exact denoiser of white noise of unit variance, and the exact
    velocity where noise is left as it is.
    """
    stage = random(kind, shape)
    with torch.no_grad():
        for network in (stage.network, stage.mean.network):
            for weight in network.parameters():
                weight.zero_()
    return stage


def random(kind="denoiser", shape=TINY):
    """Both stages with random weights; what they say looks like nothing."""
    torch.manual_seed(0)
    config = Residual(shape, kind, Mean(shape), num_condition=3, num_outputs=2)
    stage = config.build().eval()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in stage.parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=draw)
        stage.mean.gain[0, 0] = stage.mean.gain[1, 1] = 1
        stage.scale.copy_(torch.tensor(SCALE))
    return stage


def fields(height=6, width=8, seed=0):
    """Coarse fields with structure, on so many coarse cells."""
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((2, height, width))
    coarse = np.array([285.0, 101_000.0])[:, None, None] + scores * [[[4.0]], [[500.0]]]
    relief = 100 + 50 * rng.standard_normal((1, height * FACTOR, width * FACTOR))
    return Fields(coarse.astype(np.float32), relief.astype(np.float32), "2017-06-05T15:00")


def write_checkpoint(folder, stage, known):
    """A folder as a training run leaves it."""
    folder.mkdir(parents=True)
    save_file(stage.state_dict(), folder / "model.safetensors")
    model = asdict(stage.config)
    (folder / "provenance.json").write_text(json.dumps({"recipe": {"model": model}}))
    known.write(folder / FILE)


def answer(model, question):
    """What a model says."""
    encoded = model.encode(question)
    return model.decode(model.forward(encoded.tensors), encoded)


def downscaler(stage=None, **changes):
    """A predictor of a small network."""
    return Downscaler(stage if stage is not None else white(), channels(**changes))
