"""What fine fields obey after the priors: their block means, and that rain is never negative."""

import pytest
import torch
from torch.nn.functional import avg_pool2d

from ansatz.weather.channels import Channel, Channels
from ansatz.weather.priors import obeying, scaled_to, shifted_to

FACTOR = 4


def channels(block_mean=(), positive=()):
    return Channels(
        inputs=(Channel("msl", "Pa"), Channel("2t", "K"), Channel("tp", "mm")),
        outputs=(Channel("2t", "K"), Channel("tp", "mm")),
        statics=(),
        factor=FACTOR,
        spacing=2.0,
        input_mean=(0.0,) * 3,
        input_std=(1.0,) * 3,
        output_mean=(0.0,) * 2,
        output_std=(1.0,) * 2,
        block_mean=block_mean,
        positive=positive,
    )


@pytest.fixture
def coarse():
    draw = torch.Generator().manual_seed(1)
    maps = torch.rand(3, 5, 7, generator=draw)
    return torch.stack([101_325 + 300 * maps[0], 280 + 10 * maps[1], 3 * (maps[2] - 0.3).relu()])


@pytest.fixture
def fine():
    draw = torch.Generator().manual_seed(2)
    maps = torch.randn(6, 2, 20, 28, generator=draw)
    return torch.stack([285 + 4 * maps[:, 0], 0.5 + maps[:, 1]], 1)


def block_means(field):
    return avg_pool2d(field.double(), FACTOR)


def test_a_temperature_keeps_the_block_means_that_were_given(fine, coarse):
    found = obeying(fine, coarse, channels(block_mean=("2t",)))

    given = coarse[1].double().expand(6, 5, 7)
    torch.testing.assert_close(block_means(found[:, 0]), given, rtol=1e-6, atol=0)
    # Within a block nothing moves against anything.
    inside = fine[:, 0, :4, :4] - fine[:, 0, :4, :4].mean((1, 2), keepdim=True)
    after = found[:, 0, :4, :4] - found[:, 0, :4, :4].mean((1, 2), keepdim=True)
    torch.testing.assert_close(after, inside, rtol=0, atol=1e-4)
    assert found[:, 1].equal(fine[:, 1])


def test_the_projection_is_the_nearest_field_with_those_means(fine, coarse):
    found = shifted_to(fine[:, 0].double(), coarse[1].double(), FACTOR)
    moved = found - fine[:, 0]

    # Orthogonal to every field whose block means vanish, and done twice it is done once.
    other = torch.randn(20, 28, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    other = shifted_to(other, torch.zeros(5, 7, dtype=torch.float64), FACTOR)
    assert (moved * other).sum().abs() < 1e-9
    again = shifted_to(found, coarse[1].double(), FACTOR)
    torch.testing.assert_close(again, found, rtol=1e-14, atol=1e-12)


def test_rain_is_never_negative_and_keeps_its_block_means(fine, coarse):
    found = obeying(fine, coarse, channels(block_mean=("tp",), positive=("tp",)))[:, 1]

    assert found.min() == 0
    given = coarse[2].double().expand(6, 5, 7)
    torch.testing.assert_close(block_means(found), given, rtol=1e-6, atol=1e-9)


def test_where_it_was_dry_in_a_wet_block_it_stays_dry(fine, coarse):
    found = scaled_to(fine[:, 1].double(), coarse[2].double() + 1, FACTOR)

    assert found[fine[:, 1] <= 0].eq(0).all()
    assert found[fine[:, 1] > 0].gt(0).all()


def test_a_block_that_was_dry_all_over_gets_its_mean_everywhere():
    found = scaled_to(-torch.ones(4, 8), torch.tensor([[2.0, 0.0]]), FACTOR)

    assert found[:, :4].eq(2).all()
    assert found[:, 4:].eq(0).all()


def test_rain_of_another_model_is_only_cut_off_below_zero(fine, coarse):
    found = obeying(fine, coarse, channels(positive=("tp",)))

    assert found[:, 1].equal(fine[:, 1].clamp(min=0))
    assert found[:, 0].equal(fine[:, 0])
