"""A subject from another distribution: the sine of an angle, learned from exact values.

The smallest complete example of what a subject gives: a data set, a model, an objective, a
predictor, a check, and the recipe that binds them. `sixth_subject-0.1.dist-info` makes it known.
"""

import csv
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from safetensors.torch import load_file
from torch import Tensor, nn

from ansatz.core.findings import Case, Finding, Section
from ansatz.core.recipe import (
    Batches,
    Encoded,
    Filled,
    Loss,
    Manifest,
    Position,
    Recipe,
    RemoteFile,
    Sample,
    Split,
    TrainConfig,
)
from ansatz.store.samples import Store, fill

LARGEST_ANGLE = 3.1  # of the training data


@dataclass(frozen=True)
class SineRequest:
    """A question about a sine.

    Attributes:
        angle: In radians.
        amplitude: Factor of the sine.
    """

    angle: float
    amplitude: Annotated[float, Gt(0), Le(100)] = 1.0


@dataclass(frozen=True)
class SineAnswer:
    """A value of the sine, times its amplitude."""

    value: float

    def summary(self) -> dict[str, float | int | str]:
        """The value."""
        return {"sine": self.value}

    def save(self, folder: Path, stem: str) -> list[Path]:
        """Write the value as text."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{stem}.txt"
        path.write_text(f"{self.value}\n")
        return [path]


@dataclass(frozen=True)
class Angles:
    """Angles, listed in a file, with their exact sines.

    Attributes:
        degree: Harmonic: the samples are sin(degree x).
    """

    degree: Annotated[int, Ge(1)] = 1

    def manifest(self) -> Manifest:
        """One table."""
        return Manifest("embedded:sixth_subject/raw", (RemoteFile("angles.csv"),), "CC0-1.0")

    def fill(self, raw: Path, folder: Path) -> Filled:
        """Write the samples."""
        return fill(self.samples(raw), folder)

    def samples(self, raw: Path) -> Iterator[Sample]:
        """A sample per split."""
        with (raw / "angles.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        for split in ("train", "validation", "test"):
            angle = np.array([float(row["angle"]) for row in rows if row["split"] == split])
            arrays = {"angle": angle, "sine": np.sin(self.degree * angle)}
            yield Sample(f"angles_{split}", split, arrays)

    def batches(self, store: Path, split: Split, batch_size: int) -> Batches:
        """Angles in the order of the position."""
        arrays = Store(store).load(f"angles_{split}")

        def batch(position: Position, model: nn.Module) -> dict[str, Tensor]:
            chosen = position.indices(len(arrays["angle"]), batch_size)
            return {name: torch.tensor(a[chosen]).float() for name, a in arrays.items()}

        return batch

    def cases(self, store: Path, split: Split) -> Iterator[tuple[str, SineRequest, float]]:
        """Each angle with its sine."""
        arrays = Store(store).load(f"angles_{split}")
        for angle, sine in zip(arrays["angle"].tolist(), arrays["sine"].tolist(), strict=True):
            yield f"{angle:+.3f}", SineRequest(angle), sine


@dataclass(frozen=True)
class Curve:
    """A network of one hidden layer.

    Attributes:
        width: Of the hidden layer.
    """

    width: Annotated[int, Ge(1)] = 24

    def build(self) -> nn.Module:
        """The network."""
        return nn.Sequential(nn.Linear(1, self.width), nn.Tanh(), nn.Linear(self.width, 1))


def squared_error(model: nn.Module, batch: dict[str, Tensor], rng: torch.Generator) -> Loss:
    """The mean square of the error."""
    return Loss((model(batch["angle"][:, None])[:, 0] - batch["sine"]).square().mean())


@dataclass(frozen=True)
class SinePredictor:
    """The predictor of a checkpoint."""

    curve: nn.Module

    def encode(self, request: SineRequest) -> Encoded[float]:
        """The angle as a tensor."""
        if abs(request.angle) > LARGEST_ANGLE:
            raise ValueError(f"{request.angle} rad is outside ±{LARGEST_ANGLE} rad")
        return Encoded({"angle": torch.tensor([[request.angle]])}, request.amplitude)

    def forward(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The network."""
        with torch.no_grad():
            return {"sine": self.curve(tensors["angle"])}

    def decode(self, outputs: dict[str, Tensor], encoded: Encoded[float]) -> SineAnswer:
        """The number."""
        return SineAnswer(encoded.context * float(outputs["sine"]))


def load_predictor(folder: Path) -> SinePredictor:
    """Load a checkpoint."""
    shape = json.loads((folder / "provenance.json").read_text())["recipe"]["model"]
    curve = Curve(**shape).build()
    curve.load_state_dict(load_file(folder / "model.safetensors"))
    return SinePredictor(curve.eval())


def errors(cases: Sequence[Case]) -> Section:
    """The largest error, where the truth is known."""
    known = [case for case in cases if case.truth is not None]
    largest = max((abs(case.answer.value - case.truth) for case in known), default=0.0)
    return Section("Errors", (Finding("largest_error", largest, bound=0.05, source="math.sin"),))


def straight_line(store: Path) -> Callable[[SineRequest], SineAnswer]:
    """The baseline sin x ≈ x."""
    return lambda request: SineAnswer(request.amplitude * request.angle)


def sine() -> Recipe:
    """The recipe."""
    return Recipe(
        name="trigonometry/sine",
        title="the sine of an angle",
        data=Angles(),
        model=Curve(),
        objective=squared_error,
        request=SineRequest,
        predictor=load_predictor,
        train=TrainConfig(steps=400, batch_size=64, learning_rate=0.03, warmup_steps=10),
        checks=(errors,),
        baselines={"straight line": straight_line},
        references={"exact": lambda asked: (asked, asked.amplitude * math.sin(asked.angle))},
    )


def warm_start(model: Curve, store: Path, first: Path | None) -> nn.Module:
    """The network of the first stage."""
    assert first is not None
    curve = model.build()
    curve.load_state_dict(load_file(first / "model.safetensors"))
    return curve


def refined() -> Recipe:
    """The recipe of a second stage, which goes on from the first."""
    return replace(
        sine(),
        name="trigonometry/refined",
        train=TrainConfig(steps=2, batch_size=8, learning_rate=1e-7, warmup_steps=0),
        begin=warm_start,
        needs="trigonometry/sine",
        shares="trigonometry/sine",
    )
