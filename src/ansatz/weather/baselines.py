"""What any model has to beat: the interpolated input, the lapse rate, and the climate.

    bilinear     the coarse field, interpolated
    lapse rate   that, and the 2 m temperature moved to the height of the fine relief at -6.5 K/km
    climatology  the mean over the training times at each cell of a region that was trained on;
                 elsewhere the mean over all

An output that is not among the inputs has its training mean; what is never negative is cut at 0.
Each answers with one member.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ansatz.store.samples import Store
from ansatz.weather.answer import Ensemble
from ansatz.weather.channels import RELIEF, TEMPERATURE, Channels, first_of, labels, read_channels
from ansatz.weather.condition import lapse
from ansatz.weather.grid import upsample
from ansatz.weather.inputs import Fields, read_fields
from ansatz.weather.request import Question

Float32 = NDArray[np.float32]
Answering = Callable[[Question], Ensemble | None]


def bilinear(store: Path) -> Answering:
    """The interpolated input.

    Args:
        store: Of the samples.
    """
    channels = read_channels(store)

    def answer(question: Question) -> Ensemble:
        fields = asked(question, channels)
        return answered(interpolated(fields, channels), fields, channels)

    return answer


def lapse_rate(store: Path) -> Answering:
    """The interpolated input with the temperature at the height of the relief, where both are.

    Args:
        store: Of the samples.
    """
    channels = read_channels(store)
    relief = first_of(RELIEF, channels.statics)
    at = first_of(TEMPERATURE, channels.outputs)
    known = at is not None and channels.outputs[at].label in labels(channels.inputs)

    def answer(question: Question) -> Ensemble | None:
        if relief is None or at is None or not known:
            return None
        fields = asked(question, channels)
        found = interpolated(fields, channels)
        height = torch.from_numpy(fields.static[relief]).double()
        found[at] += lapse(height, channels.factor).float().numpy()
        return answered(found, fields, channels)

    return answer


def climatology(store: Path) -> Answering:
    """The mean of the training split.

    Args:
        store: Of the samples.
    """
    channels, samples = read_channels(store), Store(store)
    sums: dict[tuple[object, ...], NDArray[np.float64]] = {}
    counts: dict[tuple[object, ...], int] = {}
    for name in samples.names("train"):
        meta, fine = samples.meta(name), samples.load(name)["fine"]
        key = (meta["region"], (meta["row"], meta["col"]), fine.shape)
        sums[key] = sums.get(key, np.zeros(fine.shape)) + fine
        counts[key] = counts.get(key, 0) + 1

    def answer(question: Question) -> Ensemble:
        fields = asked(question, channels)
        shape = fine_shape(fields, channels)
        key = (fields.region, fields.place, shape)
        found = constant(channels, shape)
        if key in sums:
            found = (sums[key] / counts[key]).astype(np.float32)
        return answered(found, fields, channels)

    return answer


def asked(question: Question, channels: Channels) -> Fields:
    """The fields of a question, read if they are in a file."""
    if isinstance(question.input, Fields):
        return question.input
    return read_fields(question.input, channels, question.sample, question.static)


def fine_shape(fields: Fields, channels: Channels) -> tuple[int, int, int]:
    """Shape of the answer to some fields."""
    height, width = (n * channels.factor for n in fields.coarse.shape[-2:])
    return len(channels.outputs), height, width


def constant(channels: Channels, shape: tuple[int, int, int]) -> Float32:
    """The training mean of each output everywhere."""
    mean = np.asarray(channels.output_mean, np.float32)[:, None, None]
    return np.broadcast_to(mean, shape).copy()


def interpolated(fields: Fields, channels: Channels) -> Float32:
    """The interpolated namesakes of the outputs."""
    found = constant(channels, fine_shape(fields, channels))
    given = labels(channels.inputs)
    for place, label in enumerate(labels(channels.outputs)):
        if label in given:
            coarse = torch.from_numpy(fields.coarse[given.index(label)]).double()
            found[place] = upsample(coarse, channels.factor).float().numpy()
    return found


def answered(fine: Float32, fields: Fields, channels: Channels) -> Ensemble:
    """One member as an answer."""
    for place, label in enumerate(labels(channels.outputs)):
        if label in channels.positive:
            fine[place] = np.maximum(fine[place], 0)
    return Ensemble(
        members=fine[None],
        mean=fine,
        coarse=fields.coarse,
        channels=channels,
        time=fields.time,
        region=fields.region,
        lat=fields.lat,
        lon=fields.lon,
        truth=fields.fine,
    )
