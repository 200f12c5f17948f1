"""Which library multiplies float32 matrices: the faster one, if it is exact."""

import pytest
import torch

from ansatz.trainer import products


@pytest.mark.parametrize(
    ("usual", "other", "expected"),
    [
        ((2.0, 1e-7), (1.0, 1e-7), "medium"),
        ((2.0, 1e-7), (1.0, 3e-3), "highest"),  # it rounds to bfloat16
        ((1.1, 1e-7), (1.0, 1e-7), "highest"),  # another run might find the opposite
        ((1.0, 1e-7), (2.0, 1e-7), "highest"),
    ],
)
def test_takes_the_faster_library_only_if_it_is_exact(usual, other, expected):
    measured = {"highest": usual, "medium": other}
    assert products.chosen(lambda setting: measured[setting]) == expected


def test_probe_measures_the_error_of_float32_and_leaves_the_setting_alone():
    before = torch.get_float32_matmul_precision()
    seconds, error = products.probe("highest")
    assert torch.get_float32_matmul_precision() == before
    assert seconds > 0
    # Sums of 512 products, each rounded to 24 bits.
    assert 0 < error < 512**0.5 * 2**-24 * 4


def test_intel_keeps_its_own_library(monkeypatch):
    monkeypatch.setattr(products, "processor", lambda: "Intel(R) Xeon(R) Processor")
    products.float32_products.cache_clear()
    assert products.float32_products() == "highest"
    products.float32_products.cache_clear()
