import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator

from ansatz.weather.grid import block_mean, nearest, upsample


def plane(height, width, factor=1):
    """3 + 2 y - 5 x at the centers of cells of size 1 / factor."""
    y = (torch.arange(height * factor, dtype=torch.float64) + 0.5) / factor
    x = (torch.arange(width * factor, dtype=torch.float64) + 0.5) / factor
    return 3 + 2 * y[:, None] - 5 * x


@pytest.mark.parametrize("factor", [1, 2, 5, 8])
def test_a_linear_field_is_upsampled_exactly_up_to_the_edges(factor):
    torch.testing.assert_close(upsample(plane(3, 4), factor), plane(3, 4, factor))


def test_upsampling_is_bilinear_between_centers_and_linear_beyond():
    factor = 8
    coarse = np.random.default_rng(3).normal(size=(5, 7))
    centers = [np.arange(n) + 0.5 for n in coarse.shape]
    known = RegularGridInterpolator(centers, coarse, bounds_error=False, fill_value=None)
    fine = [(np.arange(n * factor) + 0.5) / factor for n in coarse.shape]
    expected = known(np.stack(np.meshgrid(*fine, indexing="ij"), -1))

    found = upsample(torch.from_numpy(coarse), factor)

    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_the_block_mean_of_a_plane_is_the_plane_on_coarse_cells():
    torch.testing.assert_close(block_mean(plane(3, 4, 6), 6), plane(3, 4))


def test_the_block_mean_of_the_nearest_cell_is_the_cell():
    coarse = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    assert torch.equal(block_mean(nearest(coarse, 4), 4), coarse)


def test_rows_and_columns_keep_their_places():
    fine = torch.zeros(6, 4)
    fine[4, 1] = 12.0  # in the third of three rows of blocks, the first of two columns
    expected = torch.tensor([[0.0, 0.0], [0.0, 0.0], [3.0, 0.0]])
    assert torch.equal(block_mean(fine, 2), expected)


def test_one_coarse_cell_gives_a_constant_field():
    assert torch.equal(upsample(torch.tensor([[4.0]]), 8), torch.full((8, 8), 4.0))


def test_a_grid_that_is_no_whole_number_of_coarse_cells_is_refused():
    with pytest.raises(ValueError, match=r"41 x 40 fine cells .* multiple of 8"):
        block_mean(torch.zeros(41, 40), 8)
