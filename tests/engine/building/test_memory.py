import pytest
import torch
from torch import nn

from ansatz.engine.building.build import build
from ansatz.engine.building.export import exported
from ansatz.engine.building.memory import Estimate, activations, estimate, require_room


def test_weights_are_counted_once_however_often_they_are_used():
    shared = nn.Linear(10, 10, bias=False)
    assert estimate(nn.Sequential(shared, shared), "eager").weights == 400


def test_activations_are_what_flows():
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    flows = activations(exported(module, (torch.ones(3, 4),)))
    # Products of one row at a time, with their biases or without them as nodes of their own.
    assert 4 * 3 * (4 + 8 + 8 + 2) <= flows <= 4 * 3 * (4 + 16 + 8 + 4 + 10)


def test_a_build_without_room_is_refused_with_numbers():
    found = Estimate(weights=2 * 10**9, activations=10**9, need=16 * 10**9, free=10**9)
    with pytest.raises(MemoryError, match=r"16\.00 GB and 1\.00 GB are free.*2\.00 GB of weights"):
        require_room(found, "tensorrt-rtx")


def test_a_build_asks_before_it_begins(monkeypatch, told, told_inputs):
    class Full:
        available = 1000

    monkeypatch.setattr("psutil.virtual_memory", Full)
    for backend in ("eager", "onnxruntime", "tensorrt-rtx"):
        with pytest.raises(MemoryError, match="are free"):
            build(told, told_inputs, backend=backend, target="SM120")
