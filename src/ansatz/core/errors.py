"""Words for mistakes: the nearest name, and what to install.

An error says what was found, what was expected, and what to do. Users' mistakes are `ValueError`
and `LookupError`; the command line prints their message alone and exits with 2.
"""

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """A sentence about a name that does not exist, with the nearest one that does."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"unknown {kind} {name!r}; did you mean {near[0]!r}?"
    return f"unknown {kind} {name!r}; there are: {', '.join(names) or 'none'}"


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module that an extra of the distribution brings.

    Args:
        module: Name to import.
        extra: The extra that installs it.
        purpose: What needs it, as the subject of a sentence.

    Returns:
        The module.

    Raises:
        ValueError: If it is not installed; the message says how to get it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise ValueError(
            f"{purpose} needs {module.split('.')[0]}, which is not installed. "
            f"Install it with: pip install 'ansatz-ai[{extra}]'"
        ) from None
