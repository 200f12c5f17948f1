"""Variance of fields by wavelength, in an area that does not repeat itself.

A field of N x M cells is written as cosines (DCT-II with orthonormal F), as if it were mirrored at
its edges; unlike a Fourier transform, that makes no jump there, whose spectrum would hide the small
scales (Denis, Côté and Laprise, Mon. Weather Rev. 130, 2002). Coefficient (i, j) has the wavenumber

    k = sqrt((i / 2 N)² + (j / 2 M)²) / spacing

and the variance F² / (N M). Divided by its width, the sum in an annulus of wavenumbers is the
spectrum E(k): its integral is the variance, up to what lies beyond the shortest wave, 2 cells.

Two spectra are RALSD decibels apart (radially averaged log spectral distance; Harris et al.,
J. Adv. Model. Earth Syst. 14, 2022):

    RALSD = sqrt( mean over k of (10 log10(E_truth(k) / E(k)))² )
"""

import numpy as np
from scipy import fft

from ansatz.report.statistics import Floats


def wavenumbers(height: int, width: int, spacing: float) -> Floats:
    """Middles of the annuli, cycles per unit of `spacing`: those of the longer side's cosines.

    Args:
        height, width: Cells.
        spacing: Between cells.
    """
    longer = max(height, width)
    return np.arange(1, longer) / (2 * longer * spacing)


def spectrum(fields: Floats, spacing: float) -> Floats:
    """Variance per wavenumber.

    Args:
        fields: Shape (..., H, W).
        spacing: Between cells.

    Returns:
        E(k) at `wavenumbers`, squares of the fields' unit times the unit of `spacing`.
    """
    height, width = fields.shape[-2:]
    longer = max(height, width)
    power = fft.dctn(fields, axes=(-2, -1), norm="ortho") ** 2 / (height * width)
    rows, columns = np.arange(height) / height, np.arange(width) / width
    annulus = np.rint(longer * np.hypot(rows[:, None], columns)).astype(int).ravel()
    order = np.argsort(annulus, kind="stable")
    starts = np.searchsorted(annulus[order], np.arange(1, longer + 1))  # none is empty
    ordered = power.reshape(*power.shape[:-2], -1)[..., order[: starts[-1]]]
    density: Floats = np.add.reduceat(ordered, starts[:-1], axis=-1) * (2 * longer * spacing)
    return density


def log_distance(truth: Floats, other: Floats) -> float:
    """RALSD of two spectra, dB.

    Args:
        truth: Positive; of many fields, the mean over them.
        other: At the same wavenumbers. A field without any variance is infinitely far away.
    """
    with np.errstate(divide="ignore"):
        decibels = 10 * np.log10(other / truth)
    return float(np.sqrt(np.mean(decibels**2)))
