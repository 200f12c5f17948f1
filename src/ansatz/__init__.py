"""Ansatz: scientific AI you can check.

    import ansatz

    predictor = ansatz.load("aero/cars")
    for item in ansatz.predict("aero/cars", ["car.stl"], {"speed": 38.89}):
        print(item.row["cd"])

The verbs are functions here and commands on the command line.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ansatz.verbs import bench, check, fetch, load, predict, prepare, serve, train

__all__ = ["bench", "check", "fetch", "load", "predict", "prepare", "serve", "train"]


def __getattr__(name: str) -> Any:
    """Import the verbs when the first of them is used: `import ansatz` costs nothing."""
    if name in __all__:
        return getattr(importlib.import_module("ansatz.verbs"), name)
    raise AttributeError(f"module 'ansatz' has no attribute {name!r}")
