"""From the folder of a checkpoint to a predictor, and from a trained model to its calibration.

model.safetensors     weights; the average, where training kept one
provenance.json       the resolved recipe, with the shape of the network
calibration.*         intervals and distances (`ansatz.aero.calibration`)
probe.json            a stored answer (`ansatz.aero.probe`)
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ansatz.aero.calibration import (
    FLOOR,
    calibrate,
    describe,
    load_calibration,
    save_calibration,
)
from ansatz.aero.cases import stored_cases
from ansatz.aero.cloud import BodyFrame
from ansatz.aero.halves import sides
from ansatz.aero.model import Domino
from ansatz.aero.predictor import CarPredictor, member_loads
from ansatz.aero.probe import write_probe
from ansatz.aero.stream import FreeStream
from ansatz.aero.surface import Surface
from ansatz.core.recipe import Split
from ansatz.engine.trained import trained
from ansatz.store.samples import Store


def load_predictor(folder: Path) -> CarPredictor:
    """Load a checkpoint.

    Raises:
        FileNotFoundError: If the folder holds no checkpoint.
        ValueError: If the weights are not those of the network that the folder describes.
    """
    model = trained(folder, Domino, "aero")
    return CarPredictor(model, load_calibration(folder))


def calibrate_checkpoint(folder: Path, store: Path) -> None:
    """Fit intervals to the validation cars, and remember what the training cars look like.

    Args:
        folder: Of the checkpoint; gets `calibration.*`.
        store: Of the samples.
    """
    predictor = load_predictor(folder)
    errors: dict[str, list[tuple[float, float]]] = {name: [] for name in FLOOR}
    for _, request, truth in stored_cases(store, "validation"):
        encoded = predictor.encode(replace(request, cells=None))
        outputs = predictor.forward(encoded.tensors)
        count = len(outputs["force"])
        members = [
            member_loads(outputs, encoded.context, index).coefficients for index in range(count)
        ]
        for name, pairs in errors.items():
            values = [member[name] for member in members]
            pairs.append((float(np.mean(values)) - truth.coefficients[name], float(np.std(values))))
    save_calibration(folder, calibrate(errors, descriptions(store)))
    write_probe(folder, predictor)


def descriptions(store: Path, split: Split = "train") -> torch.Tensor:
    """What the cars of a split look like, (cars, features)."""
    samples = Store(store)
    found = []
    for name in samples.names(split):
        meta = samples.meta(name)
        # The first half stands for the body, as in a prediction.
        arrays = next(iter(sides(samples.load(name), meta)))
        frame = BodyFrame(**meta["frame"])
        cells = Surface(
            frame.scaled(torch.from_numpy(arrays["cells_xyz"])),
            torch.from_numpy(arrays["cells_normal"]),
            torch.from_numpy(arrays["cells_area"]) / frame.length**2,
        )
        reynolds = FreeStream(meta["speed"], viscosity=meta["viscosity"]).reynolds(frame.length)
        found.append(describe(cells, float(np.log(reynolds / 1e7))))
    return torch.stack(found)
