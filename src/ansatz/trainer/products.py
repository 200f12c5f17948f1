"""Which of two libraries multiplies float32 matrices on this processor.

On Intel's processors PyTorch's own choice, MKL, is the fast one. On others MKL may reach half of
what oneDNN does, which takes over where torch is told that less than float32 would do ("medium").
It may then really compute in less, as in bfloat16: a probe asks for its speed and for its error,
and takes oneDNN where it is clearly faster and as exact.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from time import process_time
from typing import Literal

import torch
from torch import Tensor

from ansatz.core.artifacts import processor

Setting = Literal["highest", "medium"]
SIZE = 512  # of the matrices of the probe
GAIN = 1.3  # at which the choice is clear, so that all runs on a machine choose the same
EXACT = 2e-6  # largest error against float64, of the largest entry; bfloat16 has 3e-3
REPEATS = 5


@cache
def float32_products() -> Setting:
    """What to tell torch of float32 products on this processor: "highest" is MKL."""
    if "Intel" in processor() or not torch._C._has_mkldnn:
        return "highest"
    return chosen(probe)


def chosen(measure: Callable[[Setting], tuple[float, float]]) -> Setting:
    """Take oneDNN if it is clearly faster and exact.

    Args:
        measure: CPU seconds and relative error of products under a setting.
    """
    usual, _ = measure("highest")
    seconds, error = measure("medium")
    return "medium" if usual > GAIN * seconds and error < EXACT else "highest"


def probe(setting: Setting) -> tuple[float, float]:
    """Multiply matrices under a setting.

    Returns:
        The least CPU seconds of some products, and the largest error relative to the largest
        entry.
    """
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.randn(SIZE, SIZE, generator=rng) for _ in range(2))
    with _told(setting):
        product, times = a @ b, []
        for _ in range(REPEATS):
            began = process_time()
            product = a @ b
            times.append(process_time() - began)
    exact: Tensor = a.double() @ b.double()
    return min(times), float((product - exact).abs().max() / exact.abs().max())


@contextmanager
def _told(setting: Setting) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(setting)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
