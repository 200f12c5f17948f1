"""Solutions that are exact: their fields are given by definitions, and nothing is trained."""

import pytest
import sympy

from ansatz import pde
from ansatz.pde.solving import Solution
from ansatz.pde.trial import TrialConfig


@pytest.fixture
def exact_solution():
    """From fields with their values, and conditions, to a solution."""

    def make(values, conditions, **options):
        network = sympy.Function("unused", real=True)(*next(iter(values)).args)
        problem = pde.Problem((*values, network), conditions, definitions=values, **options)
        config = TrialConfig(problem, pde.Network(width=4, depth=1))
        return Solution(config.build().double().eval(), problem, 0.0, 0, 0.0)

    return make
