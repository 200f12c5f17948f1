"""Exact and reference solutions: what a trained network is held against.

Expressions of sympy, which serve as boundary values as well: `kovasznay`, `taylor_green`,
`beltrami`, `poiseuille`, `poisson`, `helmholtz`, `heat`, `standing_wave`, `traveling_wave`,
`advection_diffusion`, `pressurized_cylinder`, `thin_fin`. Functions of arrays: `burgers`,
`allen_cahn`, `duct_velocity` and its flow rate and pressure drop, `heated_fin`, `cavity`. Published
tables: `GHIA_U`, `GHIA_V`, their `MISPRINTS`, `BOTELLA_PEYRET`.
"""

from ansatz.pde.exact.allen_cahn import allen_cahn
from ansatz.pde.exact.burgers import burgers
from ansatz.pde.exact.cavity import LIDS, Cavity, cavity
from ansatz.pde.exact.corner import singular_flow
from ansatz.pde.exact.duct import duct_flow_rate, duct_pressure_drop, duct_velocity
from ansatz.pde.exact.elasticity import pressurized_cylinder
from ansatz.pde.exact.fields import (
    advection_diffusion,
    heat,
    helmholtz,
    poisson,
    standing_wave,
    traveling_wave,
)
from ansatz.pde.exact.fin import heated_fin, thin_fin
from ansatz.pde.exact.flows import beltrami, kovasznay, poiseuille, taylor_green
from ansatz.pde.exact.published import (
    BOTELLA_PEYRET,
    GHIA_U,
    GHIA_V,
    GHIA_X,
    GHIA_Y,
    MISPRINTS,
)

__all__ = [
    "BOTELLA_PEYRET",
    "GHIA_U",
    "GHIA_V",
    "GHIA_X",
    "GHIA_Y",
    "LIDS",
    "MISPRINTS",
    "Cavity",
    "advection_diffusion",
    "allen_cahn",
    "beltrami",
    "burgers",
    "cavity",
    "duct_flow_rate",
    "duct_pressure_drop",
    "duct_velocity",
    "heat",
    "heated_fin",
    "helmholtz",
    "kovasznay",
    "poiseuille",
    "poisson",
    "pressurized_cylinder",
    "singular_flow",
    "standing_wave",
    "taylor_green",
    "thin_fin",
    "traveling_wave",
]
