"""Attention in packed sequences is that of a dense matrix with blocks on its diagonal."""

import pytest
import torch
from torch import Tensor

from ansatz.protein.model import attention
from ansatz.protein.model.attention import ONE_SEQUENCE, Spans, attend, kernel

LENGTHS = (5, 0, 37, 1, 64, 37)
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def spans(lengths=LENGTHS) -> Spans:
    starts = torch.tensor([0, *lengths]).cumsum(0)
    return Spans(starts, int(starts[-1]))


def drawn(count: int, dtype: torch.dtype, depth: int = 8) -> list[Tensor]:
    rng = torch.Generator().manual_seed(0)
    shape = (count, 3, depth)
    tensors = [torch.randn(shape, generator=rng, dtype=torch.float64) for _ in range(3)]
    return [t.to(dtype).requires_grad_() for t in tensors]


def dense(q: Tensor, k: Tensor, v: Tensor, where: Spans) -> Tensor:
    """All scores at once, and those between different sequences struck out."""
    scores = torch.einsum("ihd,jhd->hij", q, k)
    same = where.sequence[:, None] == where.sequence
    shares = scores.masked_fill(~same, -torch.inf).softmax(-1)
    return torch.einsum("hij,jhd->ihd", shares, v)


def by_kernel(name: str, monkeypatch):
    if name == "nested":
        return attention._nested
    monkeypatch.setattr(attention, "kernel", lambda *args, **kwargs: name)
    return attend


@pytest.mark.parametrize("name", ["sdpa", "matmul", "nested"])
def test_values_and_gradients_are_those_of_the_dense_matrix(name, monkeypatch):
    where = spans((5, 37, 1, 64, 37) if name == "nested" else LENGTHS)
    found, expected = drawn(where.tokens, torch.float64), drawn(where.tokens, torch.float64)
    one = by_kernel(name, monkeypatch)(*found, where)
    other = dense(*expected, where)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    weights = torch.randn(one.shape, dtype=torch.float64)
    one.backward(weights)
    other.backward(weights)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", list(ONE_SEQUENCE))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_sequence_has_bit_for_bit_the_same_attention_alone(name, dtype, monkeypatch):
    where = spans()
    q, k, v = (t.detach() for t in drawn(where.tokens, dtype))
    found = by_kernel(name, monkeypatch)(q, k, v, where)
    for first, last in zip(where.starts[:-1].tolist(), where.starts[1:].tolist(), strict=True):
        if first < last:
            alone = attend(q[first:last], k[first:last], v[first:last], spans((last - first,)))
            assert torch.equal(found[first:last], alone)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_on_a_gpu_it_is_the_dense_matrix_to_the_precision(dtype):
    where = spans((5, 37, 1, 64, 37))
    q, k, v = drawn(where.tokens, dtype, depth=16)
    expected = dense(q.double(), k.double(), v.double(), where).detach()
    on_gpu = Spans(where.starts.cuda(), where.tokens)
    found = attend(q.cuda(), k.cuda(), v.cuda(), on_gpu).cpu()
    tolerance = 1e-5 if dtype is torch.float32 else 3e-2
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=tolerance)
    found.sum().backward()
    assert torch.isfinite(q.grad).all()


def test_positions_begin_anew_in_each_sequence():
    where = spans((3, 0, 2))
    assert where.positions.tolist() == [0, 1, 2, 0, 1]
    assert where.sequence.tolist() == [0, 0, 0, 2, 2]
    assert where.pieces == [3, 2]
    assert where.longest == 3


def test_a_gpu_without_flash_attention_takes_the_nested_tensor(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert kernel(CUDA, torch.bfloat16, 500, gradients=True) == "nested"


@pytest.mark.parametrize(
    ("device", "dtype", "length", "gradients", "products", "expected"),
    [
        (CUDA, torch.bfloat16, 500, True, "highest", "varlen"),
        (CUDA, torch.float32, 500, True, "highest", "nested"),
        (CPU, torch.float32, 300, True, "highest", "sdpa"),
        (CPU, torch.float32, 300, True, "medium", "matmul"),
        (CPU, torch.float32, 3000, True, "medium", "sdpa"),
        (CPU, torch.bfloat16, 300, True, "highest", "matmul"),
        (CPU, torch.bfloat16, 300, False, "highest", "sdpa"),
        (CPU, torch.bfloat16, 9000, True, "highest", "sdpa"),
        (CPU, torch.float64, 300, True, "medium", "sdpa"),
    ],
)
def test_the_kernel_is_the_one_that_was_measured_to_be_fast(
    device, dtype, length, gradients, products, expected, monkeypatch
):
    monkeypatch.setattr(attention, "float32_products", lambda: products)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert kernel(device, dtype, length, gradients=gradients) == expected
