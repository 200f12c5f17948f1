import pytest
import torch

from ansatz.core.recipe import Encoded
from ansatz.engine.surrogate import Surrogate
from ansatz.timing.stages import compare, relative_difference

CPU = torch.device("cpu")


class Squarer:
    def __init__(self, factor=1.0):
        self.factor = factor

    def encode(self, request):
        return Encoded({"x": torch.tensor(request)}, None)

    def forward(self, tensors):
        return {"y": self.factor * tensors["x"] ** 2, "zero": torch.zeros(2)}

    def decode(self, outputs, encoded):
        return outputs["y"].tolist()


def test_each_model_has_its_times_and_its_error_beside():
    plain, rough = Squarer(), Squarer(1.01)
    models = [
        ("fp32", Surrogate(plain, plain.forward, "fp32: exact")),
        ("bf16", Surrogate(rough, rough.forward, "bf16: rough", weight_bytes=2_000_000)),
    ]
    rows = compare(models, [1.0, 2.0], CPU, repeats=2)
    assert [row["precision"] for row in rows] == ["fp32", "bf16"]
    assert [row["relative_difference"] for row in rows] == [0.0, pytest.approx(0.01, rel=1e-4)]
    assert rows[1]["arithmetic"] == "bf16: rough"
    assert [row["weight_megabytes"] for row in rows] == [0.0, 2.0]
    for row in rows:
        for stage in ("encode", "forward", "decode"):
            assert 0 <= row[f"{stage}_least"] <= row[f"{stage}_median"]


def test_the_difference_is_that_of_the_worst_output_relative_to_its_size():
    exact = {"a": torch.tensor([3.0, 4.0]), "b": torch.zeros(2)}
    found = {"a": torch.tensor([3.0, 4.5]), "b": torch.tensor([0.03, 0.04])}
    assert relative_difference(found, exact) == pytest.approx(0.1)
    found["b"] = torch.tensor([0.0, 0.5])
    assert relative_difference(found, exact) == pytest.approx(0.5)
