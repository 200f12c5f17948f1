"""Numbers without units for a problem, from quantities in any units, and back.

Networks want inputs, outputs and coefficients of order one; engineers have millimeters and
pascals. With a scale for each dimension that occurs, one becomes the other. Any independent
quantities do: with a length L, a velocity U and a density ρ, time is counted in L/U, pressure in
ρU². A channel:

    scales = Scales(length="20 mm", velocity="2 m/s", density="1.2 kg/m^3")
    nu = scales.number("1.5e-5 m^2/s")                    # 1/Re
    body = rectangle((0, 0), (scales.number("100 mm"), scales.number("20 mm")))
    x, y = coordinates("x y")
    u, v, p = fields("u v p", x, y)
    flow = Inside(body, navier_stokes((u, v), p, nu))     # a density of 1, as all scales are
    ...
    found = solution.evaluate({"p": p}, {"x": 0.0, "y": 0.5})
    drop = scales.convert(found["p"], "Pa")

The number of a quantity Q of dimension d = Π d_i^{a_i}, where d_i is the dimension of scale s_i, is
Q/Π s_i^{a_i} (Barenblatt, Scaling, ch. 1). The exponents solve linear equations, in fractions; the
scales are independent, so that there is one solution or none.

A temperature in degC is a point, counted from absolute zero; a difference is in K or delta_degC. In
a compound unit, as W/m^2/degC, degC is a difference. What is counted from an inlet's temperature is
`number("65 degC") - number("20 degC")`, and comes back in delta_degC.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from math import isfinite, prod
from tokenize import TokenError
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from pint import Quantity, Unit

    Amount: TypeAlias = Quantity[Any]

Array = NDArray[np.float64]
Exponents = Mapping[str, Fraction]
NUMBER_AND_UNIT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*)")


class Scales:
    """What quantities are counted in; a number stands for so many times its scale."""

    def __init__(self, **scales: "str | Amount") -> None:
        """Scales by names of your own, as `length="0.1 m"`; a text or a quantity of pint.

        Raises:
            ValueError: If a scale is not positive, is a temperature that does not count from
                absolute zero, or is made of the dimensions of others.
            LookupError: If there is no such unit.
        """
        self._sizes: dict[str, float] = {}
        self._dimensions: dict[str, Exponents] = {}
        for name, scale in scales.items():
            quantity = parsed(scale)
            own = _dimensions(quantity)
            if not own:
                raise ValueError(f"{name} has no dimension and needs no scale: leave it out")
            if (made := _combination(own, self._dimensions)) is not None:
                raise ValueError(
                    f"{name}, {_product(own)}, follows from {_product(made)}: leave it out, or one "
                    "that it follows from"
                )
            self._sizes[name], self._dimensions[name] = _size(name, quantity), own

    def number(self, quantity: "str | Amount") -> float:
        """A quantity in its scale.

        Args:
            quantity: A number with a unit, as "1.5e-5 m^2/s", or a quantity of pint.

        Raises:
            ValueError: If a dimension of the quantity lacks a scale, or the text is none.
            LookupError: If there is no such unit.
        """
        given = parsed(quantity)
        return float(given.to_root_units().magnitude) / self._scale(given)

    def numbers(self, values: ArrayLike, unit: str) -> Array:
        """Values in a unit, as measurements, in their scale: the inverse of `convert`."""
        given = _units().Quantity(np.asarray(values, np.float64), parsed_unit(unit))
        found: Array = given.to_root_units().magnitude / self._scale(given)
        return found

    def convert(self, numbers: ArrayLike, unit: str) -> Array:
        """Numbers, as a solution gives them, as values in a unit.

        Raises:
            ValueError: If a dimension of the unit lacks a scale.
            LookupError: If there is no such unit.
        """
        wanted = _units().Quantity(1.0, parsed_unit(unit))
        root = wanted.to_root_units().units
        values = np.asarray(numbers, np.float64) * self._scale(wanted)
        found: Array = np.asarray(_units().Quantity(values, root).to(wanted.units).magnitude)
        return found

    def of(self, values: Mapping[str, ArrayLike], units: Mapping[str, str]) -> dict[str, Array]:
        """The values of `evaluate` in units, by name: `scales.of(found, {"p": "Pa"})`."""
        return {name: self.convert(values[name], unit) for name, unit in units.items()}

    def _scale(self, quantity: "Amount") -> float:
        """The scale of quantities of this dimension, in the registry's root units."""
        wanted = _dimensions(quantity)
        exponents = _combination(wanted, self._dimensions)
        if exponents is None:
            free = [d for d in wanted if _combination({d: Fraction(1)}, self._dimensions) is None]
            raise ValueError(
                f"{quantity.units} is {_product(wanted)}, and nothing scales {', '.join(free)}; "
                f"there are {self}: add a scale that holds {free[0]}"
            )
        return float(prod(self._sizes[name] ** float(a) for name, a in exponents.items()))

    def __str__(self) -> str:
        scales = (f"{name} ({_product(d)})" for name, d in self._dimensions.items())
        return ", ".join(scales) or "no scales"


def parsed(text: "str | Amount") -> "Amount":
    """A number with its unit; a quantity of pint is one.

    Raises:
        ValueError: If the text is something else, or a number without a unit.
        LookupError: If there is no such unit.
    """
    if not isinstance(text, str) and hasattr(text, "to_root_units"):
        return text
    found = NUMBER_AND_UNIT.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"{text!r} is no number with a unit, as '1.5e-5 m^2/s'")
    quantity: Amount = _units().Quantity(float(found[1]), parsed_unit(found[2]))
    return quantity


def parsed_unit(text: str) -> "Unit":
    """A unit; degC in a compound one is a difference.

    Raises:
        ValueError: If the text is no product of powers of units.
        LookupError: If there is no such unit.
    """
    import pint

    try:
        unit: Unit = _units().parse_units(text)
    except pint.UndefinedUnitError as error:
        raise LookupError(
            f"{text!r} holds {', '.join(error.unit_names)}, which is no unit; units are those of "
            "pint, as m, mm, inch, kg, s, hour, N, Pa, bar, W, K, degC"
        ) from None
    except (pint.PintError, TokenError, ValueError, TypeError, AssertionError):
        raise ValueError(f"{text!r} is no product of powers of units, as 'W/m^2/K'") from None
    return unit


@lru_cache(maxsize=1)
def _units() -> Any:
    """The registry of the application, whose quantities go with those of the caller.

    It takes half a second to import and fill: only who has units waits for it.
    """
    import pint

    return pint.get_application_registry()  # type: ignore[no-untyped-call]


def _size(name: str, scale: "Amount") -> float:
    """The scale in root units."""
    size = float(scale.to_root_units().magnitude)
    if type(scale)(0.0, scale.units).to_root_units().magnitude != 0:
        raise ValueError(
            f"{name} is in {scale.units}, whose zero is no zero: a scale is a difference: write "
            "it in K or delta_degC"
        )
    if not (isfinite(size) and size > 0):
        raise ValueError(f"{name} must be positive and finite, got {scale}")
    return size


def _dimensions(quantity: "Amount") -> Exponents:
    """The exponents of dimensions, as {"[length]": 1, "[time]": -1}."""
    found: Mapping[str, Any] = quantity.dimensionality
    return {name: Fraction(a).limit_denominator(100) for name, a in found.items()}


def _combination(wanted: Exponents, of: Mapping[str, Exponents]) -> dict[str, Fraction] | None:
    """The exponents a with Π of_i^{a_i} = wanted, without zeros; None if there are none."""
    rows = sorted({*wanted, *(d for own in of.values() for d in own)})
    if not rows or not of:
        return None if rows else {}
    matrix = sympy.Matrix([[sympy.Rational(own.get(d, 0)) for own in of.values()] for d in rows])
    side = sympy.Matrix([sympy.Rational(wanted.get(d, 0)) for d in rows])
    try:
        solution, _ = matrix.gauss_jordan_solve(side)
    except ValueError:
        return None
    found = {name: Fraction(int(a.p), int(a.q)) for name, a in zip(of, solution, strict=True)}
    return {name: a for name, a in found.items() if a}


def _product(exponents: Exponents) -> str:
    """Powers in words: [mass] [length]^-3."""
    powers = (name if a == 1 else f"{name}^{a}" for name, a in exponents.items())
    return " ".join(powers) or "a number"
