"""Rotary positions: scores know differences of positions only, and lengths stay."""

import math

import torch

from ansatz.protein.model.rotary import frequencies, rotate, turns

DEPTH = 16


def turned(both: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    return rotate(both, turns(positions, frequencies(DEPTH), torch.float64))


def test_a_plane_turns_by_its_position_times_its_frequency():
    both = torch.zeros(1, 2, 1, DEPTH, dtype=torch.float64)
    both[0, 1, 0, 6] = 1.0
    found = turned(both, torch.tensor([7]))[0, 1, 0]
    angle = 7 * 10_000 ** (-2 * 3 / DEPTH)
    expected = torch.zeros(DEPTH, dtype=torch.float64)
    expected[6], expected[7] = math.cos(angle), math.sin(angle)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)  # angles are float32


def test_scores_depend_on_the_difference_of_positions():
    both = torch.randn(1, 2, 3, DEPTH, dtype=torch.float64).expand(2, -1, -1, -1).contiguous()
    scores = []
    for query, key in ((3, 11), (100, 108)):
        found = turned(both, torch.tensor([query, key]))
        scores.append((found[0, 0] * found[1, 1]).sum(-1))
    torch.testing.assert_close(*scores, rtol=0, atol=1e-4)


def test_keys_keep_their_length_and_queries_are_scaled():
    both = torch.randn(5, 2, 3, DEPTH, dtype=torch.float64)
    found = turned(both, torch.arange(5)).norm(dim=-1)
    lengths = both.norm(dim=-1)
    torch.testing.assert_close(found[:, 1], lengths[:, 1], rtol=1e-6, atol=0)
    torch.testing.assert_close(found[:, 0], lengths[:, 0] / 4, rtol=1e-6, atol=0)


def test_gradients_are_those_of_finite_differences():
    both = torch.randn(3, 2, 2, 8, dtype=torch.float64, requires_grad=True)
    angles = turns(torch.tensor([0, 5, 900]), frequencies(8), torch.float64)
    assert torch.autograd.gradcheck(lambda b: rotate(b, angles), both)


def test_bfloat16_is_rounded_once_even_at_far_positions():
    both = torch.randn(4, 2, 3, DEPTH).bfloat16()
    angles = turns(torch.tensor([0, 1, 500, 1000]), frequencies(DEPTH), torch.float32)
    expected = rotate(both.float(), angles).bfloat16()
    assert torch.equal(rotate(both, angles), expected)
