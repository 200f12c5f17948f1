"""How a network begins, and how it is read from a checkpoint.

Channels come from the store (`channels.json`); the second stage takes the weights of the first,
which no longer change, and measures the standard deviation of what that leaves, channel by channel,
over the training split.
"""

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from math import lcm
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from ansatz.core.artifacts import PROVENANCE
from ansatz.core.recipe import ModelConfig
from ansatz.engine.trained import load_weights, require_run
from ansatz.store.samples import Store
from ansatz.weather.channels import Channels, labels, read_channels
from ansatz.weather.condition import condition, num_condition
from ansatz.weather.model.config import Mean, Residual
from ansatz.weather.model.stages import MeanStage, ResidualStage

MEASURED = 512  # samples of the training split that the scale is measured on, at most
Stage = TypeVar("Stage", Mean, Residual)


def begin(model: ModelConfig, store: Path, first: Path | None) -> MeanStage | ResidualStage:
    """The network of a new run.

    Args:
        model: A `Mean` or a `Residual`.
        store: Whose channels it is for.
        first: Folder of the checkpoint of the first stage; a second one needs it.

    Raises:
        FileNotFoundError: If the folder holds no checkpoint.
        ValueError: If there is no first stage where one is needed, or it is another one than the
            second stage's shape says.
    """
    channels = read_channels(store)
    if isinstance(model, Mean):
        return mean_stage(model, channels)
    assert isinstance(model, Residual)
    if first is None:
        raise ValueError("a second stage needs the checkpoint of a first one: first=FOLDER")
    require_same_mean(model, first)
    stage = residual_stage(model, channels)
    load_weights(stage.mean, first)
    stage.scale.copy_(measured_scale(stage.mean.eval(), store, channels))
    return stage


def read_stage(folder: Path) -> MeanStage | ResidualStage:
    """The network of a finished run, in evaluation mode.

    Raises:
        FileNotFoundError: If the folder holds no checkpoint, or no channels.
        ValueError: If it is of another kind of network, or damaged.
    """
    require_run(folder)
    model, channels = read_model(folder), read_channels(folder)
    stage: MeanStage | ResidualStage
    if isinstance(model, Mean):
        stage = mean_stage(model, channels)
    else:
        stage = residual_stage(model, channels)
    load_weights(stage, folder)
    return stage.eval()


def read_model(folder: Path) -> Mean | Residual:
    """The shape that the provenance of a run tells.

    Raises:
        ValueError: If it tells none of a stage.
    """
    path = folder / PROVENANCE
    said = json.loads(path.read_text()).get("recipe", {}).get("model", {})
    kind: type[Mean | Residual] = Residual if "mean" in said else Mean
    strange = ", ".join(sorted(set(said) - {field.name for field in fields(kind)}))
    if strange or not said:
        raise ValueError(
            f"{path} describes no network of weather, but one of {strange or 'nothing'}. Name the "
            "folder of a weather checkpoint"
        )
    try:
        found: Mean | Residual = TypeAdapter(kind).validate_python(said)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(
            f"{path} describes no network of weather: {place}: {first['msg']}. Restore the file"
        ) from error
    return found


def require_same_mean(model: Residual, first: Path) -> None:
    """Refuse a first stage of another shape than a second one is made for.

    Raises:
        FileNotFoundError: If the folder holds no checkpoint.
        ValueError: If its shape is another.
    """
    require_run(first)
    found = read_model(first)
    if not isinstance(found, Mean):
        raise ValueError(f"{first} holds a second stage, and what is needed is a first one")
    if without_channels(found) != without_channels(model.mean):
        raise ValueError(
            f"{first} holds the first stage {found}, and this recipe builds upon {model.mean}. Set "
            "model.mean as it was trained, or train the first stage again"
        )


def mean_stage(model: Mean, channels: Channels) -> MeanStage:
    """A fresh first stage for the channels of a store."""
    stage = with_channels(model, channels).build()
    if model.follows_input:
        for output, source in followed(channels):
            ratio = channels.input_std[source] / channels.output_std[output]
            shift = channels.input_mean[source] - channels.output_mean[output]
            stage.gain[output, source] = ratio
            stage.offset[output] = shift / channels.output_std[output]
    return stage


def residual_stage(model: Residual, channels: Channels) -> ResidualStage:
    """A fresh second stage for the channels of a store, on a fresh first one."""
    return with_channels(model, channels).build()


def with_channels(model: Stage, channels: Channels) -> Stage:
    """A shape for the channels of a store."""
    count = num_condition(channels, channels.conditioning)
    return replace(model, num_condition=count, num_outputs=len(channels.outputs))


def without_channels(model: Mean) -> Mean:
    """A shape for any store."""
    return replace(model, num_condition=0, num_outputs=0)


def followed(channels: Channels) -> Iterator[tuple[int, int]]:
    """Outputs and the inputs of the same label, as places."""
    known = labels(channels.inputs)
    for output, label in enumerate(labels(channels.outputs)):
        if label in known:
            yield output, known.index(label)


def measured_scale(mean: MeanStage, store: Path, channels: Channels) -> Float[Tensor, " o"]:
    """The standard deviation of what a mean leaves over the training split, by output.

    At most 512 samples are taken, evenly among all. The mean over cells counts: √E r², without
    taking the mean of r away, since that is not known when a residual is sampled.
    """
    found = Store(store)
    names = found.names("train")
    chosen = np.linspace(0, len(names) - 1, min(MEASURED, len(names))).round().astype(int)
    squares = torch.zeros(len(channels.outputs), dtype=torch.float64)
    for index in chosen:
        squares += _squares(mean, found, names[index], channels)
    return (squares / len(chosen)).sqrt().float()


def _squares(mean: MeanStage, store: Store, name: str, channels: Channels) -> Float[Tensor, " o"]:
    """Mean squares of what a mean leaves of one sample, by output."""
    arrays, meta = store.load(name), store.meta(name)
    multiple = lcm(channels.factor, mean.config.shape.multiple)
    height, width = (size // multiple * multiple for size in arrays["fine"].shape[-2:])
    coarse, static, fine = (torch.from_numpy(arrays[k])[None] for k in ("coarse", "static", "fine"))
    coarse = coarse[..., : height // channels.factor, : width // channels.factor]
    lead = torch.tensor([float(meta["lead"])])
    given = condition(coarse, static[..., :height, :width], channels, channels.conditioning, lead)
    place = torch.tensor([[int(meta["row"]), int(meta["col"])]])
    with torch.no_grad():
        left = channels.normalized(fine[..., :height, :width]) - mean(given, place)
    squares: Tensor = left.double().square().mean((0, 2, 3))
    return squares
