"""Units as weather files write them, `m s-1` or `m s**-1`, brought to the one that is wanted."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ansatz.weather.description import Variable


def in_unit(values: NDArray[Any], found: str, variable: Variable, path: Path) -> NDArray[Any]:
    """Values in the unit that is wanted.

    Raises:
        ValueError: If the units of the file are of another kind, or nobody knows them.
    """
    wanted = variable.unit
    if not found or not wanted or plain_unit(found) == plain_unit(wanted):
        return values
    import pint

    try:
        quantity = registry().Quantity(values, plain_unit(found))
        converted: NDArray[Any] = quantity.to(plain_unit(wanted)).magnitude
    except (pint.PintError, ValueError, TypeError) as error:
        raise ValueError(
            f"{path.name}: {variable.source} is in {found!r}, which is not to be converted to "
            f"{wanted!r}. Give the `unit` of the file, or none to take the values as they are"
        ) from error
    return converted


@lru_cache(maxsize=1)
def registry() -> Any:
    """The units that pint knows; reading them takes half a second."""
    import pint

    return pint.UnitRegistry()


def plain_unit(text: str) -> str:
    """`m s-1`, `m s**-1` and `m s^-1` as `m*s**-1`."""
    powers = re.sub(r"([A-Za-z])(?:\*\*|\^)?(-?\d+)", r"\1**\2", text.strip())
    return re.sub(r"\s+", "*", powers)
