"""The U-Net: sizes, what position maps and noise do, and that it is told where it is."""

import math
from dataclasses import replace

import pytest
import torch

from ansatz.weather.model.config import MINI, NORMAL, SMALL, Mean, Residual, Shape
from ansatz.weather.model.unet import UNet

TINY = Shape(width=8, levels=(1, 2), blocks=1)


def stirred(network, seed=0):
    """Fresh blocks add next to nothing; these add as much as trained ones."""
    generator = torch.Generator().manual_seed(seed)
    for weight in network.parameters():
        if weight.ndim > 1:
            noise = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
            weight.data = noise / weight[0].numel() ** 0.5
    return network.eval()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [(MINI, (10_861_122, 10_862_274)), (NORMAL, None)],
    ids=["mini", "normal"],
)
def test_presets_have_the_layers_of_nvidias_networks(shape, expected):
    # Counted in PhysicsNeMo 2.2.2 with 28 channels of condition and embedding_type zero, where the
    # regression network has two more input channels, always zero.
    silent = replace(shape, embedding="zero")
    with torch.device("meta"):
        stage = Residual(silent, mean=Mean(shape), num_condition=28, num_outputs=2).build()
    mean, network = (
        sum(p.numel() for p in part.parameters()) for part in (stage.mean, stage.network)
    )
    found = (mean + 2 * shape.width * 9, network)
    assert found == expected if expected else round(network / 1e6, 1) == 79.7


def test_the_small_network_has_one_to_two_million_weights():
    network = UNet(SMALL, 30, 2)
    assert 1e6 < sum(p.numel() for p in network.parameters()) < 2e6


def test_a_fresh_network_says_next_to_nothing():
    x = torch.randn(1, 3, 16, 16)
    assert UNet(SMALL, 3, 2).eval()(x).abs().max() < 1e-3


def test_the_level_of_the_noise_changes_what_is_said_and_without_embedding_it_cannot():
    x, low, high = torch.randn(1, 3, 8, 8), torch.tensor([-1.5]), torch.tensor([1.1])
    told = stirred(UNet(TINY, 3, 2))
    silent = stirred(UNet(replace(TINY, embedding="zero"), 3, 2))
    with torch.no_grad():
        assert (told(x, low) - told(x, high)).abs().max() > 0.01
        assert torch.equal(silent(x, low), silent(x, high))


@pytest.mark.parametrize("kind", ["sinusoidal", "learned"])
def test_a_crop_is_told_the_position_maps_that_the_whole_domain_would_see(kind):
    shape = replace(TINY, position=kind, domain=(24, 40))
    position = UNet(shape, 3, 2).double().position
    whole = position(torch.zeros(1, 3, 24, 40, dtype=torch.float64), None)
    corners = torch.tensor([[5, 17], [16, 0]])
    crops = position(torch.zeros(2, 3, 8, 8, dtype=torch.float64), corners)
    for crop, (row, column) in zip(crops, corners.tolist(), strict=True):
        expected = whole[0, :, row : row + 8, column : column + 8]
        torch.testing.assert_close(crop, expected, rtol=0, atol=1e-15)


def test_sinusoidal_maps_are_those_of_corrdiff():
    position = UNet(replace(TINY, position="sinusoidal", domain=(6, 11)), 1, 1).position
    maps = position(torch.zeros(1, 1, 6, 11, dtype=torch.float64), None)[0, 1:]
    row, column = 4, 3
    east, north = 2 * math.pi * column / 10, 2 * math.pi * row / 5
    expected = [math.sin(east), math.sin(north), math.cos(east), math.cos(north)]
    assert maps[:, row, column].tolist() == pytest.approx(expected, abs=1e-15)


def test_beyond_the_domain_learned_maps_go_on_as_at_its_edge():
    position = UNet(replace(TINY, position="learned", domain=(4, 4)), 1, 1).position
    maps = position(torch.zeros(1, 1, 8, 8), torch.tensor([[-2, -2]]))[0, 1:]
    assert torch.equal(maps[:, 0, 0], position.maps[:, 0, 0])
    assert torch.equal(maps[:, 7, 3], position.maps[:, 3, 1])


def test_members_of_a_batch_do_not_see_each_other():
    network = stirred(UNet(replace(TINY, position="learned", domain=(16, 16)), 3, 2).double())
    x = torch.randn(3, 3, 8, 8, dtype=torch.float64)
    noise, place = torch.randn(3, dtype=torch.float64), torch.tensor([[0, 0], [8, 0], [3, 5]])
    with torch.no_grad():
        together = network(x, noise, place)
        for number in range(3):
            one = slice(number, number + 1)
            alone = network(x[one], noise[one], place[one])
            torch.testing.assert_close(together[one], alone, rtol=0, atol=1e-12)


def test_every_weight_is_trained():
    network = UNet(replace(SMALL, position="learned", domain=(8, 8), attention=(1,)), 3, 2)
    network(torch.randn(2, 3, 8, 8), torch.tensor([0.1, 0.2])).square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_a_grid_that_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match=r"10 x 8 cells.*multiples of 4"):
        UNet(SMALL, 1, 1)(torch.zeros(1, 1, 10, 8))


def test_a_level_that_is_not_there_cannot_attend():
    with pytest.raises(ValueError, match=r"attention=\[3\].*there are 3"):
        Shape(attention=(3,))


def test_a_width_that_cannot_be_grouped_is_refused():
    with pytest.raises(ValueError, match="multiple of 8"):
        Shape(width=20)


def test_a_network_for_no_store_needs_its_channels():
    with pytest.raises(ValueError, match=r"num_condition=0.*begin with a store"):
        Mean().build()
