import pytest
import torch

from ansatz.core.recipe import Loss
from ansatz.trainer.precision import arithmetic

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("precision", "digits"), [("fp32", 2**-24), ("bf16", 2**-8), ("fp16", 2**-11)]
)
def test_a_product_is_rounded_as_the_name_says(precision, digits):
    x = torch.tensor([[1 + 2**-6 + 2**-9 + 2**-14 + 2**-20]])

    def product(model, batch, rng):
        return Loss(torch.nn.functional.linear(batch["x"], torch.ones(1, 1)))

    rounded = arithmetic(precision, CPU).autocast(product)
    found = rounded(torch.nn.Identity(), {"x": x}, torch.Generator()).total
    error = abs(found.double().item() / x.double().item() - 1)
    assert error <= digits
    assert error > 0 or precision == "fp32"


def test_only_fp16_scales_gradients():
    names = ("fp32", "tf32", "bf16", "fp16")
    assert [arithmetic(name, CPU).scales_gradients for name in names] == [False] * 3 + [True]


def test_tf32_on_a_processor_says_that_it_is_float32():
    numbers = arithmetic("tf32", CPU)
    assert not numbers.uses_tf32
    assert "no TF32" in numbers.note


def test_float32_products_are_exact_inside_and_as_they_were_outside():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        numbers = arithmetic("fp32", CPU)
        with numbers.in_force():
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_an_unknown_device_is_refused():
    with pytest.raises(ValueError, match="cpu or cuda, and the device is meta"):
        arithmetic("fp32", torch.device("meta"))
