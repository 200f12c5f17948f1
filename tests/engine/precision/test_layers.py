import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, linear

from ansatz.core.precision import PRECISIONS
from ansatz.engine.precision.layers import QuantizedConv2d, QuantizedLinear, low_rank
from ansatz.engine.precision.rounding import rounded

ROUNDED = ["fp8", "int8", "nvfp4", "mxfp8", "mxfp4"]
WEIGHTS = ["fp8-weights", "int8-weights", "nvfp4-weights"]


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return nn.Linear(96, 48).requires_grad_(False)


@pytest.fixture
def convolution():
    torch.manual_seed(0)
    return nn.Conv2d(48, 40, 3, stride=2, padding=1).requires_grad_(False)


def inputs(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ROUNDED)
def test_a_linear_layer_is_the_product_of_what_was_rounded(layer, name):
    precision, x = PRECISIONS[name], inputs(2, 5, 96)
    found = QuantizedLinear(layer, precision, "emulated")(x)
    ours = rounded(x, precision.activations, tops="row").values.double()
    theirs = rounded(layer.weight, precision.weights).values.double()
    expected = linear(ours, theirs, layer.bias.double()).float()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ROUNDED)
def test_bfloat16_holds_elements_exactly(layer, name):
    """Only the product is rounded again: by half a unit in the ninth digit, 2⁻⁹."""
    module, x = QuantizedLinear(layer, PRECISIONS[name], "emulated"), inputs(64, 96)
    exact = module(x) - layer.bias
    with torch.autocast("cpu", torch.bfloat16):
        found = module(x)
    assert found.dtype == torch.bfloat16
    found = found.float() - layer.bias
    assert float((found - exact).norm() / exact.norm()) < 2**-8


@pytest.mark.parametrize("name", ROUNDED)
def test_a_convolution_is_that_of_what_was_rounded(convolution, name):
    precision, x = PRECISIONS[name], inputs(3, 48, 9, 8)
    found = QuantizedConv2d(convolution, precision, "emulated")(x)
    images = []
    for image in x:
        last = image.permute(1, 2, 0)
        given = last.reshape(1, -1) if precision.weights.scale == "row" else last
        values = rounded(given, precision.activations).values
        images.append(values.reshape(last.shape).permute(2, 0, 1))
    kernel = QuantizedConv2d(convolution, precision, "storage").weight.double()
    expected = conv2d(torch.stack(images).double(), kernel, convolution.bias.double(), 2, 1)
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ROUNDED)
def test_what_else_is_in_a_batch_does_not_matter(layer, convolution, name):
    precision = PRECISIONS[name]
    for module, x in (
        (QuantizedLinear(layer, precision, "emulated"), inputs(4, 96)),
        (QuantizedConv2d(convolution, precision, "emulated"), inputs(4, 48, 6, 6)),
    ):
        loud = x.clone()
        loud[1:] *= 1000
        torch.testing.assert_close(module(loud)[0], module(x)[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ROUNDED)
@pytest.mark.parametrize("mode", ["emulated", "native"])
def test_nothing_in_is_nothing_out(layer, name, mode):
    if mode == "native" and name != "int8":
        pytest.skip("no such product on a processor")
    found = QuantizedLinear(layer, PRECISIONS[name], mode)(inputs(0, 96))
    assert found.shape == (0, 48)


@pytest.mark.parametrize("name", WEIGHTS)
def test_storage_rounds_weights_alone(layer, convolution, name):
    precision = PRECISIONS[name]
    module, x = QuantizedLinear(layer, precision, "storage"), inputs(5, 96)
    expected = linear(x, rounded(layer.weight, precision.weights).values, layer.bias)
    torch.testing.assert_close(module(x), expected)
    wide, images = QuantizedConv2d(convolution, precision, "storage"), inputs(2, 48, 5, 5)
    torch.testing.assert_close(wide(images), conv2d(images, wide.weight, convolution.bias, 2, 1))


def test_integers_multiplied_by_the_processor_are_those_multiplied_as_floats(layer):
    precision, x = PRECISIONS["int8"], inputs(3, 7, 96)
    native = QuantizedLinear(layer, precision, "native")(x)
    torch.testing.assert_close(native, QuantizedLinear(layer, precision, "emulated")(x))
    fixed = [
        QuantizedLinear(layer, precision, how, largest=torch.tensor(2.0))(x)
        for how in ("native", "emulated")
    ]
    torch.testing.assert_close(*fixed)


@pytest.mark.parametrize("name", ROUNDED)
def test_weights_take_the_memory_of_their_format(layer, convolution, name):
    form = PRECISIONS[name].weights
    small = QuantizedLinear(layer, PRECISIONS[name], "emulated")
    held = sum(b.numel() * b.element_size() for n, b in small.named_buffers() if "top" not in n)
    assert held + 4 * form.has_global_scale == small.bytes == form.bytes(48, 96)
    wide = QuantizedConv2d(convolution, PRECISIONS[name], "emulated")
    rows = (40 * 9, 48) if form.block else (40, 9 * 48)
    assert wide.bytes == form.bytes(*rows)


def test_a_low_rank_part_takes_outlying_columns_out_of_what_is_rounded():
    """Columns 20 times as large: the error with rank 16 is half of that without."""
    weight = torch.randn(256, 256, generator=torch.Generator().manual_seed(0))
    weight[:, :8] *= 20
    layer = nn.Linear(256, 256, bias=False)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    precision, x = PRECISIONS["nvfp4-weights"], inputs(8, 256)

    def error(rank):
        module = QuantizedLinear(layer, precision, "storage", rank=rank)
        torch.testing.assert_close(module(x), linear(x, module.weight), rtol=1e-4, atol=1e-2)
        return float((module.weight - weight).norm() / weight.norm())

    assert error(16) < 0.55 * error(0)


def test_the_factors_are_those_of_the_largest_singular_values():
    weight = inputs(20, 30)
    left, right = low_rank(weight, 4)
    values = torch.linalg.svdvals(weight)
    rest = torch.linalg.svdvals(weight - left.float() @ right.float())
    assert float(rest[0]) == pytest.approx(float(values[4]), rel=0.02)


def test_derivatives_are_refused(layer):
    module = QuantizedLinear(layer, PRECISIONS["fp8"], "emulated")
    with pytest.raises(ValueError, match=r"derivatives are taken of.*precision=fp32"):
        module(inputs(2, 96).requires_grad_())


@pytest.mark.parametrize("name", ["int8", "nvfp4"])
def test_compiled_layers_say_the_same(layer, name):
    module, x = QuantizedLinear(layer, PRECISIONS[name], "emulated"), inputs(4, 96)
    torch.testing.assert_close(torch.compile(module)(x), module(x), rtol=1e-4, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["fp8", "int8"])
@pytest.mark.parametrize("rows", [1, 40])
def test_a_gpu_multiplies_elements_as_they_are(layer, name, rows):
    x = inputs(rows, 96).cuda()
    layer.cuda()
    native, emulated = (
        QuantizedLinear(layer, PRECISIONS[name], how)(x) for how in ("native", "emulated")
    )
    torch.testing.assert_close(native, emulated, rtol=2**-7, atol=2**-7)
