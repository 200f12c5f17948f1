"""Training on half bodies: features of all points once per car, random points per step.

The flow about a symmetric car is symmetric in the mean, so the network only ever sees halves,
y >= 0. A batch is a few halves with

    anchors  random cells of the geometry, from which the network encodes the body
    surface  random cells of the CFD solution, where it answers
    volume   random points of the flow

all drawn from the position of the run alone (`ansatz.core.recipe.Position`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge
from numpy.typing import NDArray
from torch import Tensor

from ansatz.aero.cloud import BodyFrame, distance, local_features, splat
from ansatz.aero.model import point_features, volume_features
from ansatz.aero.stream import FreeStream
from ansatz.aero.surface import Surface
from ansatz.core.recipe import Batches, Position, Split
from ansatz.store.samples import Store


@dataclass(frozen=True)
class Half:
    """One half of a car, ready to be drawn from.

    Attributes:
        anchors: Features of the cells of the geometry, (cells, features).
        weights: Their areas in squares of the length, (cells,).
        surface: Features of the cells of the solution, (n, features).
        area_vectors: Outward normals times areas, in squares of the length, (n, 3).
        places: Position of the cells of the solution, in lengths, (n, 3).
        fields: Cp and Cf, (n, 4).
        volume: Features of points of the flow, (m, features + 2).
        flow: u/U, Cp, log10 νt/(U L), log10 k/U², (m, 6); NaN where unknown.
        reference_area: In squares of the length.
    """

    anchors: Tensor
    weights: Tensor
    surface: Tensor
    area_vectors: Tensor
    places: Tensor
    fields: Tensor
    volume: Tensor
    flow: Tensor
    reference_area: float


@dataclass(frozen=True)
class Draws:
    """Points of a half body in a batch.

    Attributes:
        anchors: Cells of the geometry.
        surface: Cells of the solution.
        volume: Points of the flow.
    """

    anchors: Annotated[int, Ge(16)] = 1024
    surface: Annotated[int, Ge(16)] = 2048
    volume: Annotated[int, Ge(1)] = 512


SMALLEST_VISCOSITY = 1e-7  # νt/(U L) below which the flow counts as laminar
SMALLEST_ENERGY = 1e-7  # k/U², likewise


def half(arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Half:
    """Compute the features of a stored half body.

    Args:
        arrays: `cells_xyz, cells_normal` (c, 3), `cells_area` (c,) of the geometry;
            `surface_xyz, surface_normal, cf` (n, 3), `surface_area, cp` (n,) of the solution, and
            `volume_xyz, u` (m, 3), `volume_cp, nut, k` (m,); in m, with y >= 0.
        meta: `frame` (fields of `BodyFrame`), `speed`, `viscosity`, `reference_area`.
    """
    data = {name: torch.from_numpy(np.asarray(a, np.float32)) for name, a in arrays.items()}
    frame = BodyFrame(**meta["frame"])
    stream = FreeStream(meta["speed"], viscosity=meta["viscosity"])
    log_reynolds = float(np.log(stream.reynolds(frame.length) / 1e7))
    square = frame.length**2
    cells = Surface(
        frame.scaled(data["cells_xyz"]), data["cells_normal"], data["cells_area"] / square
    )
    pyramid = splat(cells)

    def features(points: Tensor, normals: Tensor) -> Tensor:
        local = local_features(pyramid, points)
        return point_features(points, normals, local, frame.proportions, log_reynolds)

    places = frame.scaled(data["surface_xyz"])
    points = frame.scaled(data["volume_xyz"])
    gap, away = distance(cells, points)
    logs = [
        torch.log10(data[name].clamp_min(least))
        for name, least in (("nut", SMALLEST_VISCOSITY), ("k", SMALLEST_ENERGY))
    ]
    return Half(
        anchors=features(cells.centers, cells.normals),
        weights=cells.areas,
        surface=features(places, data["surface_normal"]),
        area_vectors=data["surface_normal"] * data["surface_area"][:, None] / square,
        places=places,
        fields=torch.cat([data["cp"][:, None], data["cf"]], 1),
        volume=volume_features(features(points, away), gap),
        flow=torch.cat([data["u"], data["volume_cp"][:, None], torch.stack(logs, 1)], 1),
        reference_area=meta["reference_area"] / square,
    )


def half_batches(store: Path, split: Split, batch_size: int, draws: Draws) -> Batches:
    """A function from a position of the run to a batch of halves.

    Args:
        store: Of samples as `half` takes them.
        split: To draw from.
        batch_size: Halves per batch.
        draws: Points per half.

    Returns:
        Batches with the keys `anchors` (b, m, f), `weights` (b, m), `surface` (b, n, f), `places`,
        `area_vectors` (b, n, 3), `fields` (b, n, 4), `volume` (b, k, f + 2), `flow` (b, k, 6),
        `cells` (b,), how many there are to draw from, and `reference_area` (b,).
    """
    samples = Store(store)
    halves = [half(samples.load(name), samples.meta(name)) for name in samples.names(split)]
    if not halves:
        raise FileNotFoundError(f"{store} has no samples of the {split} split: prepare them first")

    def batch(position: Position) -> dict[str, Tensor]:
        rng = position.rng()
        chosen = position.indices(len(halves), batch_size)
        return stacked([drawn(halves[index], draws, rng) for index in chosen])

    return batch


def drawn(body: Half, draws: Draws, rng: np.random.Generator) -> dict[str, Tensor]:
    """Random points of a half body: what one element of a batch holds."""
    anchors = torch.from_numpy(rng.integers(len(body.weights), size=draws.anchors))
    surface = torch.from_numpy(rng.integers(len(body.fields), size=draws.surface))
    volume = torch.from_numpy(rng.integers(len(body.flow), size=draws.volume))
    return {
        "anchors": body.anchors[anchors],
        "weights": body.weights[anchors],
        "surface": body.surface[surface],
        "places": body.places[surface],
        "area_vectors": body.area_vectors[surface],
        "fields": body.fields[surface],
        "volume": body.volume[volume],
        "flow": body.flow[volume],
        "cells": torch.tensor(float(len(body.fields))),
        "reference_area": torch.tensor(body.reference_area),
    }


def stacked(items: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Elements as one batch."""
    return {name: torch.stack([item[name] for item in items]) for name in items[0]}
