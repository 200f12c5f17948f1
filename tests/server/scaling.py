"""A model that scales a row of numbers: all that the server's tests need of a science."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge
from numpy.typing import NDArray

from ansatz.core.recipe import Encoded
from ansatz.server.dialect import Bytes, Dialect, Form
from ansatz.server.fields import form_fields, read_request
from ansatz.server.process import serve
from ansatz.server.service import License, Service
from ansatz.server.settings import Settings


@dataclass(frozen=True)
class Row:
    values: Path | NDArray[Any]
    factor: Annotated[float, Ge(0)] = 2.0
    note: str = ""


@dataclass(frozen=True)
class Numbers:
    values: torch.Tensor
    total: float


@dataclass(frozen=True)
class Scaled:
    result: Numbers
    note: str

    def summary(self):
        return {"total": self.result.total}

    def save(self, folder, stem):
        return []


@dataclass(frozen=True)
class Scaler:
    seconds: float = 0.0

    def encode(self, request):
        if request.values.ndim != 1:
            raise ValueError(f"one row is needed, got shape {request.values.shape}")
        row = torch.from_numpy(np.array(request.values))
        return Encoded({"x": row, "f": torch.tensor(request.factor)}, request.note)

    def forward(self, tensors):
        time.sleep(self.seconds)
        if tensors["f"] == 13:
            raise RuntimeError("the device does not like thirteen")
        return {"y": tensors["x"] * tensors["f"]}

    def decode(self, outputs, encoded):
        values = outputs["y"]
        return Scaled(Numbers(values, float(values.sum())), encoded.context)


def shout(answer, request, form: Form):
    return Bytes(f"{answer.result.total:g}!".encode(), "text/plain")


@dataclass(frozen=True)
class Word:
    value: float = 1.0
    times: Annotated[int, Ge(1)] = 1


def whisper(form: Form):
    word = read_request(form, Word, form_fields(Word))
    return Row(np.array([word.value]), word.times)


SHOUT = Dialect("shout", ("/v1/infer",), whisper, shout, Word)


def scaling_service(seconds=0.0, **changes):
    return Service(
        "test/scaling",
        "1.2.3",
        Scaler(seconds),
        Row,
        **{
            "dialects": (SHOUT,),
            "title": "Scales a row",
            "config": "name: test/scaling\n",
            "license": License("Apache-2.0", "Do what you like, but say so.\n", "https://a.b/c"),
            "assets": ("model.safetensors sha256:00",),
            **changes,
        },
    )


def serve_slowly(port):
    """A process that serves it and takes two seconds for an answer."""
    serve(scaling_service(seconds=2.0), Settings(port=port))
