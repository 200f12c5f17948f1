"""Formats against their definitions: all numbers listed, halves to even, errors as measured."""

import itertools

import pytest
import torch

from ansatz.core.precision import E4M3, INT8, MXFP4, MXFP8, NVFP4
from ansatz.engine.precision.rounding import (
    packed,
    rounded,
    to_e2m1,
    to_e4m3,
    unpacked,
)

FORMATS = {"fp8": E4M3, "int8": INT8, "nvfp4": NVFP4, "mxfp8": MXFP8, "mxfp4": MXFP4}


def minifloats(exponent_bits, mantissa_bits, bias, largest):
    """All numbers >= 0 of a small float by its definition, in the order of their codes."""
    numbers = []
    for e, m in itertools.product(range(2**exponent_bits), range(2**mantissa_bits)):
        share = m / 2**mantissa_bits
        numbers.append(share * 2.0 ** (1 - bias) if e == 0 else (1 + share) * 2.0 ** (e - bias))
    return [n for n in numbers if n <= largest]


LISTED = {
    "e4m3": (minifloats(4, 3, 7, 448), to_e4m3),
    "e2m1": (minifloats(2, 1, 1, 6), to_e2m1),
}


@pytest.fixture(scope="module")
def gaussian():
    return torch.randn(1024, 1024, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", LISTED)
def test_every_number_of_an_element_is_its_own_rounding(name):
    numbers, to_element = LISTED[name]
    both = torch.tensor(numbers + [-n for n in numbers])
    torch.testing.assert_close(to_element(both), both, rtol=0, atol=0)


@pytest.mark.parametrize("name", LISTED)
def test_rounding_is_to_the_nearest_and_of_two_to_the_even(name):
    numbers, to_element = LISTED[name]
    for code, (low, high) in enumerate(itertools.pairwise(numbers)):
        middle, step = (low + high) / 2, high - low
        even = low if code % 2 == 0 else high
        asked = torch.tensor([middle, middle - step / 100, middle + step / 100, -middle])
        assert to_element(asked).tolist() == [even, low, high, -even]


@pytest.mark.parametrize("name", LISTED)
def test_what_is_beyond_the_largest_is_cut(name):
    numbers, to_element = LISTED[name]
    assert to_element(torch.tensor([1e30, -1e30])).tolist() == [numbers[-1], -numbers[-1]]


@pytest.mark.parametrize(
    ("name", "error"),
    [("fp8", 0.0264), ("int8", 0.0079), ("nvfp4", 0.0952), ("mxfp8", 0.029), ("mxfp4", 0.115)],
)
def test_errors_of_gaussian_weights_are_the_known_ones(gaussian, name, error):
    """Of torchao's formats, 1024 x 1024; NVFP4 of torchao has 0.0952."""
    found = rounded(gaussian, FORMATS[name]).values
    assert float((found - gaussian).norm() / gaussian.norm()) == pytest.approx(error, rel=0.02)


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_rounded_is_stored_exactly_and_rounds_to_itself(gaussian, name):
    form = FORMATS[name]
    x = gaussian[:7, :83] * torch.logspace(-6, 4, 83)
    first = rounded(x, form)
    again = unpacked(packed(first), form, 83)
    assert torch.equal(again.values, first.values)
    stored = packed(first)
    taken = sum(t.numel() * t.element_size() for t in (stored.codes, stored.scales))
    assert taken + 4 * form.has_global_scale == form.bytes(7, 83)
    if form.scale_format == "e8m0":  # other scales may change in the last digit
        assert torch.equal(rounded(first.values, form).values, first.values)
    torch.testing.assert_close(rounded(first.values, form).values, first.values, rtol=1e-6, atol=0)


def test_a_block_of_mxfp4_is_a_power_of_two_times_elements():
    x = torch.zeros(1, 32)
    x[0, :4] = torch.tensor([7.9, -0.26, 1.0, 5.0])  # floor(log2 7.9) = 2 = that of 6: scale 1
    found = rounded(x, MXFP4)
    assert found.scales.tolist() == [[1.0]]
    assert found.values[0, :4].tolist() == [6.0, -0.5, 1.0, 4.0]
    assert rounded(1024 * x, MXFP4).scales.tolist() == [[1024.0]]


def test_a_block_of_nvfp4_has_a_scale_relative_to_that_of_the_tensor():
    x = torch.zeros(1, 32)
    x[0, 0], x[0, 16] = 2688.0, 6.0  # 448 x 6: the scale of the tensor is one
    found = rounded(x, NVFP4)
    assert float(found.top) == 1.0
    assert found.scales.tolist() == [[448.0, 1.0]]
    assert torch.equal(found.values, x)


def test_rows_do_not_see_one_another_where_each_has_its_own_scale():
    x = torch.randn(3, 64, generator=torch.Generator().manual_seed(1))
    x[2] *= 1e6
    for form in FORMATS.values():
        alone = rounded(x[:1], form, tops="row").values
        assert torch.equal(rounded(x, form, tops="row").values[:1], alone)


@pytest.mark.parametrize("name", FORMATS)
def test_zeros_stay_zeros_and_what_is_no_number_stays_none(name):
    form = FORMATS[name]
    assert torch.equal(rounded(torch.zeros(2, 64), form).values, torch.zeros(2, 64))
    for odd in (torch.nan, torch.inf):
        x = torch.ones(1, 64)
        x[0, 3] = odd
        assert not rounded(x, form).values.isfinite().all()


def test_a_calibrated_range_makes_the_scale_and_cuts_what_is_beyond():
    x = torch.tensor([[1.0, -127.0, 500.0]])
    found = rounded(x, INT8, largest=torch.tensor(127.0))
    assert found.values.tolist() == [[1.0, -127.0, 127.0]]


def test_nvfp4_and_mx_are_those_of_torchao(gaussian):
    torchao = pytest.importorskip("torchao.prototype.mx_formats.nvfp4_tensor")
    theirs = torchao.NVFP4Tensor.to_nvfp4(gaussian).dequantize(torch.float32)
    torch.testing.assert_close(rounded(gaussian, NVFP4).values, theirs)
