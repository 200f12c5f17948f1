"""Group normalization and dropout on a processor: against torch's own, and by their moments."""

import pytest
import torch
from torch import nn
from torch.nn.functional import group_norm

from ansatz.weather.model.layers import dropped, normalized


def drawn(dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(3, 24, 8, 10, generator=generator, dtype=torch.float64) + 0.5
    return x.to(dtype).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("dtype", "near"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)], ids=["fp32", "bf16"]
)
def test_a_normalization_and_its_gradients_are_those_of_float64(dtype, near):
    norm = nn.GroupNorm(6, 24)
    norm.weight.data, norm.bias.data = torch.linspace(0.5, 2, 24), torch.linspace(-1, 1, 24)
    x, upstream = drawn(dtype).requires_grad_(), drawn(dtype, seed=1)
    normalized(norm, x).backward(upstream)

    exact = [part.detach().double().requires_grad_() for part in (x, norm.weight, norm.bias)]
    group_norm(exact[0], 6, *exact[1:]).backward(upstream.double())
    for found, expected in zip((x, norm.weight, norm.bias), exact, strict=True):
        assert found.grad.dtype == found.dtype
        largest = expected.grad.abs().max()
        assert (found.grad - expected.grad).abs().max() < near * largest


def test_weights_without_gradient_let_the_gradient_through():
    norm = nn.GroupNorm(6, 24).requires_grad_(False)
    x = drawn(torch.bfloat16).requires_grad_()
    normalized(norm, x).float().square().sum().backward()
    assert x.grad.isfinite().all()
    assert norm.weight.grad is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_share_is_dropped_and_the_mean_stays(dtype, layout):
    torch.manual_seed(0)
    x = torch.ones(4, 30, 101, 67, dtype=dtype).contiguous(memory_format=layout)
    out = dropped(x, 0.13, training=True)
    assert out.is_contiguous(memory_format=layout)
    kept = out != 0
    error = (0.13 * 0.87 / x.numel()) ** 0.5
    assert float((~kept).double().mean()) == pytest.approx(0.13, abs=4 * error)
    torch.testing.assert_close(out[kept], x[kept] / 0.87)


def test_neighbors_are_dropped_independently():
    torch.manual_seed(1)
    gone = (dropped(torch.ones(400_000), 0.3, training=True) == 0).double() - 0.3
    for step in (1, 2, 3, 4, 8):
        together = float((gone[step:] * gone[:-step]).mean())
        assert together == pytest.approx(0, abs=4 * 0.21 / 400_000**0.5)


def test_what_is_dropped_has_no_gradient_and_the_seed_says_what_it_is():
    x = torch.randn(2, 3, 5, 7).requires_grad_()
    torch.manual_seed(2)
    out = dropped(x, 0.5, training=True)
    out.sum().backward()
    assert torch.equal(x.grad, 2.0 * (out != 0))
    torch.manual_seed(2)
    assert torch.equal(dropped(x, 0.5, training=True), out)


@pytest.mark.parametrize(("share", "training"), [(0.0, True), (0.5, False)])
def test_nothing_is_dropped_without_a_share_or_outside_training(share, training):
    x = torch.randn(2, 3, 5, 7)
    assert torch.equal(dropped(x, share, training=training), x)
