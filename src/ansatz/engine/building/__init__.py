"""Engines that are built: a network, an example of its inputs and a precision become one call."""

from ansatz.engine.building.build import Engine, build
from ansatz.engine.building.rows import Backend, BuildReport

__all__ = ["Backend", "BuildReport", "Engine", "build"]
