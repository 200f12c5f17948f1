"""Statistics of the training split: what the z-scores of a store are made with.

Of all cells of a channel, in float64. With n cells in sample i, of mean m and variance v,

    mean = sum(n m) / sum(n),    variance = sum(n (v + (m - mean)^2)) / sum(n).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ansatz.store.samples import Store
from ansatz.weather.channels import Channel, labels
from ansatz.weather.grid import block_mean

SAME = 0.01  # of a standard deviation, by which rounded block means may differ

Spread = tuple[tuple[float, ...], tuple[float, ...]]  # means and standard deviations


@dataclass(frozen=True)
class Statistics:
    """Means and standard deviations per channel."""

    inputs: Spread
    outputs: Spread
    statics: Spread


def training_statistics(samples: Store) -> Statistics:
    """Measure the training split.

    Raises:
        ValueError: If nothing is in it.
    """
    names = samples.names("train")
    if not names:
        raise ValueError(
            f"{samples.folder} holds no sample of the training split. Correct the splits of its "
            "description"
        )
    found: dict[str, list[NDArray[np.float64]]] = {"coarse": [], "fine": [], "static": []}
    for name in names:
        arrays = samples.load(name)
        for kind, rows in found.items():
            values = arrays[kind].astype(np.float64)
            size = np.full(len(values), values[0].size if len(values) else 0, np.float64)
            rows.append(np.stack([size, values.mean((1, 2)), values.var((1, 2))]))
    return Statistics(*(pooled(found[kind]) for kind in ("coarse", "fine", "static")))


def pooled(rows: Sequence[NDArray[np.float64]]) -> Spread:
    """Mean and standard deviation of all, from (size, mean, variance) of parts, (parts, 3, c)."""
    size, means, variances = np.moveaxis(np.stack(rows), 1, 0)
    total = size.sum(0)
    mean = (size * means).sum(0) / total
    std = np.sqrt((size * (variances + (means - mean) ** 2)).sum(0) / total)
    # A field that never changes, as rain on dry days, is 0 as a z-score.
    return tuple(mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist())


def own_means(
    samples: Store,
    inputs: tuple[Channel, ...],
    outputs: tuple[Channel, ...],
    output_std: tuple[float, ...],
    factor: int,
) -> tuple[str, ...]:
    """Labels of the outputs whose coarse namesake is their block mean in all training samples.

    Args:
        samples: The store.
        inputs, outputs: Its channels.
        output_std: Standard deviations of the outputs.
        factor: Fine cells per coarse cell.
    """
    given, wanted = labels(inputs), labels(outputs)
    places = {
        label: (wanted.index(label), given.index(label)) for label in wanted if label in given
    }
    for name in samples.names("train"):
        arrays = samples.load(name)
        for label, (fine, coarse) in list(places.items()):
            mean = block_mean(torch.from_numpy(arrays["fine"][fine]).double(), factor).numpy()
            if np.abs(mean - arrays["coarse"][coarse]).max() > SAME * output_std[fine]:
                del places[label]
    return tuple(places)
