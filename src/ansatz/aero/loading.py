"""From the folder of a checkpoint to a predictor, and from a trained model to its calibration.

model.safetensors     weights; the average, where training kept one
provenance.json       the resolved recipe, with the shape of the network
calibration.*         intervals and distances (`ansatz.aero.calibration`)
probe.json            a stored answer (`ansatz.aero.probe`)
"""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

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
from ansatz.core.artifacts import PROVENANCE
from ansatz.core.recipe import Split
from ansatz.store.samples import Store

WEIGHTS = "model.safetensors"


def load_predictor(folder: Path) -> CarPredictor:
    """Load a checkpoint.

    Raises:
        FileNotFoundError: If the folder holds no checkpoint.
        ValueError: If the weights are not those of the network that the folder describes.
    """
    for name in (WEIGHTS, PROVENANCE):
        if not (folder / name).exists():
            raise FileNotFoundError(f"{folder} has no {name}: it is no finished training run")
    model = read_shape(folder / PROVENANCE).build()
    try:
        weights = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS} is damaged: {error}. Restore it") from error
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    if expected != found:
        odd = sorted({name for name, _ in expected.items() ^ found.items()})
        raise ValueError(
            f"{folder / WEIGHTS} does not fit the network in {PROVENANCE}: {len(odd)} tensors "
            f"differ, the first is {odd[0]}. Train again, or restore the folder"
        )
    model.load_state_dict(weights)
    return CarPredictor(model.eval(), load_calibration(folder))


def read_shape(path: Path) -> Domino:
    """The shape of the network that a provenance file describes.

    Raises:
        ValueError: If it describes none of this kind.
    """
    recipe = json.loads(path.read_text()).get("recipe", {})
    shape = recipe.get("model", {})
    known = {field.name for field in fields(Domino)}
    if not shape or not known.issuperset(shape):
        raise ValueError(
            f"{path} describes the network by {sorted(shape) or 'nothing'}; expected "
            f"{sorted(known)}: it is no checkpoint of aero, or of another version"
        )
    return Domino(**shape)


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
