"""A domain of any size from tiles: what is exact, what has no seam, and what stays bounded."""

import math
from itertools import pairwise

import pytest
import torch
from torch.nn.functional import avg_pool2d, pad

from ansatz.weather.tiles import Tiles, mirror, profile, reflected, starts, tiled


def field(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def neighbors(reach):
    """A nonlinear function of the cells within a distance; what lies beyond the edge is zero."""
    side = 2 * reach + 1

    def local(fields, place):
        return avg_pool2d(pad(fields[0].tanh(), [reach] * 4), side, 1) + fields[0] ** 2

    return local


CORNER = torch.tensor([[3, 5]])


@pytest.mark.parametrize("reach", [0, 1, 2, 4])
def test_what_looks_no_further_than_a_quarter_of_the_overlap_is_the_same_from_tiles(reach):
    x = field(2, 3, 60, 76)
    whole = neighbors(reach)([x], CORNER)

    found = tiled(neighbors(reach), Tiles(32, 24, overlap=16, together=3))([x], CORNER.repeat(2, 1))

    torch.testing.assert_close(found, whole, rtol=1e-13, atol=1e-13)


def test_what_looks_further_is_not():
    x = field(1, 1, 64, 64)

    found = tiled(neighbors(12), Tiles(32, 32, overlap=8))([x], CORNER)

    assert (found - neighbors(12)([x], CORNER)).abs().max() > 0.01


def test_a_domain_of_one_tile_is_the_tile():
    x = field(1, 2, 40, 32)

    assert tiled(neighbors(9), Tiles(40, 32, 8))([x], CORNER).equal(neighbors(9)([x], CORNER))


def test_there_is_no_seam_where_tiles_disagree():
    # Each tile says another constant: without a blend, the jump would be their difference at once.
    def stubborn(fields, place):
        return fields[0] * 0 + torch.sin(place.sum(1).double() * 12.9898)[:, None, None, None]

    x = field(1, 1, 40, 200)
    overlap = 16
    found = tiled(stubborn, Tiles(40, 40, overlap))([x], CORNER)[0, 0, 20]
    hard = tiled(stubborn, Tiles(40, 40, 0))([x], CORNER)[0, 0, 20]

    # The steepest slope of sin² over half the overlap is π/2 of the mean one.
    steepest = math.pi / 2 * 2 / (overlap / 2)
    assert found.diff().abs().max() <= steepest
    assert hard.diff().abs().max() > 3 * steepest


def test_gradients_across_borders_of_tiles_are_those_of_elsewhere():
    # A network sees zeros beyond its tile, and looks further than the windows leave out.
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(256.0), indexing="ij")
    x = (10 + torch.sin(rows / 9) + torch.cos(columns / 11)).double()[None, None]
    smooth = lambda fields, place: avg_pool2d(pad(fields[0], [6] * 4), 13, 1)  # noqa: E731

    def jump(overlap):
        found = tiled(smooth, Tiles(64, 64, overlap))([x], CORNER)[0, 0, 12:-12]
        exact = smooth([x], CORNER)[0, 0, 12:-12]
        return (found - exact).diff(dim=1)[:, 12:-12].abs().max() / exact.diff(dim=1).abs().mean()

    assert jump(24) < 0.05
    assert jump(0) > 10


def test_neighbors_share_what_is_between_them():
    before = profile(32, 12, before=False, after=True)
    after = profile(32, 12, before=True, after=False)

    torch.testing.assert_close(before[-12:] + after[:12], torch.ones(12, dtype=torch.float64))
    assert before[:20].eq(1).all()
    assert after[:3].eq(0).all()


@pytest.mark.parametrize(("size", "step"), [(32, 8), (33, 1), (200, 8), (448, 4), (97, 8)])
def test_tiles_reach_from_end_to_end_and_overlap_enough(size, step):
    found = starts(size, 32, 10, step)

    assert found[0] == 0
    assert found[-1] == size - 32
    assert all(place % step == 0 for place in found[:-1])
    gaps = [after - before for before, after in pairwise(found)]
    assert all(0 < gap <= 32 - 10 for gap in gaps)


def test_a_field_that_is_too_small_goes_on_as_its_mirror_image():
    assert mirror(4, 9).tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert mirror(1, 3).tolist() == [0, 0, 0]
    assert mirror(5, 3).tolist() == [0, 1, 2, 3, 4]
    x = field(1, 1, 5, 30)
    assert reflected(x, 8, 8)[..., :5, :30].equal(x)
    assert tiled(neighbors(0), Tiles(8, 16, 4))([x], CORNER).shape == x.shape


def test_every_tile_knows_where_it_is_and_sees_all_fields_there():
    rows = torch.arange(50.0)[:, None].expand(50, 70)
    columns = torch.arange(70.0).expand(50, 70)
    seen = []

    def local(fields, place):
        seen.extend(place.tolist())
        for down, along, (row, column) in zip(*fields, place.tolist(), strict=True):
            assert (down[0, 0, 0], along[0, 0, 0]) == (row - 3, column - 5)
        return fields[0]

    tiled(local, Tiles(24, 24, 6, step=2))([rows[None, None], columns[None, None]], CORNER)

    assert [3, 5] in seen
    assert [3 + 26, 5 + 46] in seen


def test_no_more_tiles_are_evaluated_at_once_than_allowed():
    counts = []

    def local(fields, place):
        counts.append(len(fields[0]))
        return fields[0]

    tiled(local, Tiles(16, 16, 4, together=5))([field(3, 1, 40, 40)], CORNER.repeat(3, 1))

    assert max(counts) == 5
    assert sum(counts) == 3 * 3 * 3


def test_tiles_that_cannot_overlap_so_much_are_refused():
    with pytest.raises(ValueError, match="take larger tiles"):
        Tiles(32, 16, overlap=12, step=8)
