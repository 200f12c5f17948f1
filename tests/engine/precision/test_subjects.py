"""Small networks of every subject in narrow formats: near what float32 says, and said so."""

import pytest
import torch
from downscaling import downscaler, fields, random
from small_cars import brick, tiny_predictor

from ansatz import verbs
from ansatz.aero.car import CarRequest
from ansatz.aero.model import Domino
from ansatz.core.precision import PRECISIONS
from ansatz.core.recipe import PredictConfig
from ansatz.engine.precision.applying import compute_of, device_like
from ansatz.engine.surrogate import surrogate
from ansatz.mesh.stl import write_stl
from ansatz.protein.model.config import Esm
from ansatz.protein.predictor import Proteins
from ansatz.protein.request import Question as Sequences
from ansatz.trainer.precision import arithmetic
from ansatz.weather.model.config import Shape
from ansatz.weather.request import Question as Weather

CPU = torch.device("cpu")
NARROW = ["fp8", "int8", "nvfp4"]
LARGEST_ERROR = {"fp8": 0.1, "int8": 0.06, "nvfp4": 0.35}  # of networks with random weights


def loaded(predictor, name):
    precision = PRECISIONS[name]
    how = arithmetic(compute_of(precision, device_like(CPU)), CPU)
    return surrogate(predictor, PredictConfig(device="cpu", precision=name), how, CPU)


def proteins():
    torch.manual_seed(0)
    return Proteins(Esm(layers=2, width=32, heads=2).build().eval())


def cars():
    return tiny_predictor(shape=Domino(width=32, depth=1, heads=2, slices=16))


def weather():
    return downscaler(random(shape=Shape(width=32, levels=(1, 1), blocks=1)))


@pytest.fixture
def questions(tmp_path):
    write_stl(tmp_path / "brick.stl", brick())
    return {
        "aero": CarRequest(tmp_path / "brick.stl"),
        "protein": Sequences("MKTAYIAKQRQISFVKSHFSRQ", probabilities=True),
        "weather": Weather(fields(), members=2, steps=2),
    }


SUBJECTS = {
    "aero": (cars, "cells"),
    "protein": (proteins, "logits"),
    "weather": (weather, "members"),
}


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_answers_in_narrow_formats_are_near_those_of_float32(questions, subject, name):
    make, wanted = SUBJECTS[subject]
    exact, rough = loaded(make(), "fp32"), loaded(make(), name)
    tensors = exact.encode(questions[subject]).tensors
    truth, found = exact.forward(tensors), rough.forward(tensors)
    error = (found[wanted] - truth[wanted]).norm() / truth[wanted].norm()
    assert 1e-5 < float(error) < LARGEST_ERROR[name]
    (report,) = rough.reports
    assert rough.weight_bytes == report.bytes_after < exact.weight_bytes == report.bytes_before
    assert rough.arithmetic == rough.notes[0] == report.note
    assert rough.mode == report.mode
    assert sum(row.mode is not None for row in report.rows) > 0
    answer = rough.decode(found, rough.encode(questions[subject]))
    assert answer.summary()


def test_solutions_of_equations_refuse_formats_without_derivatives():
    with pytest.raises(ValueError, match=r"precision=nvfp4 .* carry derivatives, .* tf32 or bf16"):
        verbs.load("pde/helmholtz", {"precision": "nvfp4"})
