"""Solutions of CFD that are made by hand, for the tests of aero."""

import torch

from ansatz.aero.cfd.flow import FlowRecord, FlowSolution
from ansatz.aero.forces import surface_force
from ansatz.aero.surface import Surface


def record(**known) -> FlowRecord:
    """What is known about a solution, with something plausible for the rest."""
    others = {
        "speed": 30.0,
        "density": 1.2,
        "viscosity": 1.5e-5,
        "length": 4.0,
        "frontal_area": 2.0,
        "half": True,
        "coefficients": {"Cd": (0.3, 0.01)},
        "iterations": 240,
        "cells": 100,
        "cpu_seconds": {"simpleFoam": 1.5},
        "residuals": {"p": 1e-3},
        "solver": "made by hand",
    }
    return FlowRecord(**(others | known))


def coefficients(flow: FlowSolution) -> tuple[float, float]:
    """Cd and Cl of the whole body, from the fields."""
    centers, normals, areas, cp, cf = (
        torch.from_numpy(array)
        for array in (flow.centers, flow.normals, flow.areas, flow.cp, flow.cf)
    )
    force = surface_force(Surface(centers, normals, areas), cp, cf)
    share = 0.5 if flow.record.half else 1.0
    drag, _, lift = (force / (share * flow.record.frontal_area)).tolist()
    return drag, lift
