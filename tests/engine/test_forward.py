from dataclasses import dataclass

import pytest
import torch
from torch import nn

from ansatz.core.recipe import Encoded, PredictConfig
from ansatz.engine.forward import device_of, engine, placed
from ansatz.engine.surrogate import surrogate
from ansatz.trainer.precision import arithmetic

CPU = torch.device("cpu")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Linear(64, 64)


@pytest.fixture
def inputs():
    return {"x": torch.randn(8, 64, generator=torch.Generator().manual_seed(1))}


def through(network):
    def forward(tensors):
        product = network(tensors["x"])
        count = torch.tensor(len(product))
        return {"product": product, "sum": product.double().sum(), "count": count}

    return forward


def run(network, inputs, precision):
    config = PredictConfig(device="cpu", precision=precision)
    forward, notes = engine(through(network), config, arithmetic(precision, CPU), CPU)
    return forward(inputs), notes


def test_fp32_is_the_plain_forward_pass(network, inputs):
    plain = through(network)(inputs)
    outputs, notes = run(network, inputs, "fp32")
    assert notes == ()
    for name, value in plain.items():
        torch.testing.assert_close(outputs[name], value, rtol=0, atol=0)
        assert outputs[name].dtype == value.dtype


def test_bf16_rounds_products_to_eight_bits_and_says_so(network, inputs):
    exact = through(network)(inputs)["product"]
    outputs, notes = run(network, inputs, "bf16")
    error = (outputs["product"] - exact).norm() / exact.norm()
    assert 2**-12 < error < 2**-7
    assert outputs["product"].dtype == torch.float32
    assert outputs["sum"].dtype == torch.float64
    assert outputs["count"].dtype == torch.int64
    assert "bf16" in notes[0]


def test_weights_stay_in_float32(network, inputs):
    run(network, inputs, "bf16")
    assert network.weight.dtype == torch.float32


def test_outputs_come_back_to_the_host(inputs):
    seen = []

    def forward(tensors):
        seen.extend(value.device.type for value in tensors.values())
        return {name: torch.zeros(2) for name in tensors}

    outputs = placed(forward, torch.device("meta"))(inputs)
    assert seen == ["meta"]
    assert outputs["x"].device == CPU


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="ansatz doctor"):
        device_of(PredictConfig(device="cuda"))
    assert device_of(PredictConfig()) == CPU


@dataclass(frozen=True)
class Doubler:
    weights: nn.Module

    def encode(self, request):
        return Encoded({"x": torch.tensor([request])}, "N")

    def forward(self, tensors):
        return {"y": self.weights(tensors["x"])}

    def decode(self, outputs, encoded):
        return f"{outputs['y'].item():.1f} {encoded.context}"


def test_a_surrogate_is_a_function_from_request_to_answer():
    twice = nn.Linear(1, 1, bias=False)
    nn.init.constant_(twice.weight, 2.0)
    model = surrogate(Doubler(twice), PredictConfig(), arithmetic("fp32", CPU), CPU)
    assert model(1.5) == "3.0 N"
    assert model.arithmetic == "fp32: float32 throughout"


def test_networks_move_to_the_device_whatever_they_are_called():
    model = Doubler(nn.Linear(1, 1))
    surrogate(model, PredictConfig(), arithmetic("fp32", CPU), torch.device("meta"))
    assert model.weights.weight.device.type == "meta"


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_a_gpu_agrees_with_the_processor(network, inputs, precision):
    exact = through(network)(inputs)["product"]
    gpu = torch.device("cuda")
    config = PredictConfig(precision=precision)
    forward, _ = engine(through(network.to(gpu)), config, arithmetic(precision, gpu), gpu)
    error = (forward(inputs)["product"] - exact).norm() / exact.norm()
    assert error < {"fp32": 1e-6, "tf32": 2e-3, "bf16": 2e-2, "fp16": 2e-3}[precision]
