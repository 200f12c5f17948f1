import numpy as np
import pytest
from pysteps.utils.spectral import rapsd

from ansatz.weather.scores.spectra import log_distance, spectrum, wavenumbers

SPACING = 2.0  # km


def rough(height, width, seed=0):
    return np.cumsum(np.random.default_rng(seed).normal(size=(height, width)), axis=1)


def test_it_is_the_spectrum_of_pysteps_of_the_mirrored_field():
    field = rough(16, 16)
    mirrored = np.block([[field, field[:, ::-1]], [field[::-1], field[::-1, ::-1]]])
    means = rapsd(mirrored, fft_method=np.fft)
    # Those are means over annuli, per cell; ours are sums, as densities of variance.
    index = np.arange(-16, 16)
    annulus = np.rint(np.hypot(*np.meshgrid(index, index))).astype(int)
    counts = np.bincount(annulus.ravel())[: len(means)]
    expected = means * counts / mirrored.size * (2 * 16 * SPACING)
    np.testing.assert_allclose(spectrum(field, SPACING), expected[1:], rtol=1e-9)


@pytest.mark.parametrize("shape", [(24, 24), (36, 20), (20, 36)])
def test_a_cosine_has_all_its_variance_at_its_wavenumber(shape):
    height, width = shape
    longer = max(shape)
    waves = 6  # half waves along the longer side
    along = np.cos(np.pi * waves * (np.arange(longer) + 0.5) / longer)
    field = np.broadcast_to(along[:, None] if height == longer else along[None], shape)
    found = spectrum(3 * field, SPACING)
    k = wavenumbers(height, width, SPACING)
    (peak,) = np.flatnonzero(found > 1e-9 * found.max())
    assert k[peak] == pytest.approx(waves / (2 * longer * SPACING))
    assert found[peak] * (k[1] - k[0]) == pytest.approx(9 / 2)


def test_its_integral_is_the_variance_of_a_field_without_the_shortest_waves():
    field = np.random.default_rng(2).normal(size=(8, 10)).repeat(4, 0).repeat(4, 1)
    for axis in (0, 1):  # smooth, so that nothing is left beyond two cells
        for _ in range(40):
            field = (field + 0.5 * np.roll(field, 1, axis) + 0.5 * np.roll(field, -1, axis)) / 2
    k = wavenumbers(*field.shape, SPACING)
    integral = spectrum(field, SPACING).sum() * (k[1] - k[0])
    assert integral == pytest.approx(field.var(), rel=1e-3)


def test_many_fields_have_each_their_own():
    fields = np.stack([rough(12, 15, seed) for seed in range(3)])
    each = np.stack([spectrum(field, SPACING) for field in fields])
    np.testing.assert_allclose(spectrum(fields, SPACING), each)


def test_neither_a_constant_nor_the_side_it_is_seen_from_changes_it():
    field = rough(14, 14)
    np.testing.assert_allclose(spectrum(field + 300, SPACING), spectrum(field, SPACING), rtol=1e-6)
    np.testing.assert_allclose(spectrum(field[::-1].T, SPACING), spectrum(field, SPACING))


def test_a_field_of_twice_the_amplitude_is_six_decibels_away():
    field = rough(32, 32)
    distance = log_distance(spectrum(field, SPACING), spectrum(2 * field, SPACING))
    assert distance == pytest.approx(20 * np.log10(2))
    assert log_distance(spectrum(field, SPACING), spectrum(field, SPACING)) == 0
