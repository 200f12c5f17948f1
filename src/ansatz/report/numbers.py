"""How numbers are written on a page: four digits, a true minus sign, powers of ten in words.

0.04123  ->  0.04123        98765.4  ->  98 765        3.2e-07  ->  3.2 × 10⁻⁷
"""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TypeGuard

import numpy as np

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_THIN_SPACE = "\u2009"


def number(value: float, digits: int = 4) -> str:
    """Write a number for the eye.

    Args:
        value: Any number, also one that is not finite.
        digits: Significant digits.

    Returns:
        Text such as `0.0412`, `−12 345`, `3.2 × 10⁻⁷`, `NaN` or `∞`.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    power = int(exponent)
    if value != 0 and not -4 <= power < 6:
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return _signed(f"{mantissa} × 10{str(power).translate(_SUPERSCRIPTS)}")
    decimals = max(0, digits - 1 - power)
    plain = f"{value:,.{decimals}f}"
    return _signed(plain.rstrip("0").rstrip(".") if "." in plain else plain)


def column(values: Sequence[object]) -> list[str]:
    """Write the cells of one column, its numbers with one count of decimals.

    The largest number has four digits at most. Whole numbers stay whole, and numbers that are too
    far apart for one count of decimals are written each for itself, as `cell` does.
    """
    parts = [float(v) for v in values if is_number(v) and not isinstance(v, Integral)]
    sizes = [abs(part) for part in parts if math.isfinite(part) and part != 0]
    if not sizes or max(sizes) > 1e4 * min(sizes) or not 1e-3 <= max(sizes) < 1e6:
        return [cell(value) for value in values]
    most = max(0, 3 - math.floor(math.log10(max(sizes))))
    # No more than the cell that needs most: 0.004 and 0.005, not 0.004000 and 0.005000.
    decimals = max(len(f"{v:.{most}f}".rstrip("0").partition(".")[2]) for v in sizes)
    return [
        _signed(f"{value:,.{decimals}f}")
        if isinstance(value, Real) and not isinstance(value, Integral) and math.isfinite(value)
        else cell(value)
        for value in values
    ]


def cell(value: object) -> str:
    """Write whatever a table holds: numbers as `number`, truth values as words, None as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return _signed(f"{int(value):,}")
    if isinstance(value, Real):
        return number(float(value))
    return str(value)


def is_number(value: object) -> TypeGuard[Real]:
    """Whether a table's cell is aligned and sorted as a number."""
    return isinstance(value, Real) and not isinstance(value, bool)


def _signed(text: str) -> str:
    return text.replace(",", _THIN_SPACE).replace("-", "−")
