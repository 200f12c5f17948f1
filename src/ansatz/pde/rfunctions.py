"""Functions that are zero on a boundary, positive on one side, made of such functions (Rvachev).

    wall, step = y, x - 1
    still = both(wall, step)                 # > 0 where both are, 0 on the boundary of that region
    definitions={u: still * a, v: still * b}

A field that is such a function times a network is zero on the boundary exactly. Smooth, but where
two boundaries meet. Shapiro, Semi-analytic geometry with R-functions, Acta Numerica 16, 2007, §4.
"""

import sympy

from ansatz.pde.symbols import Expression


def both(*parts: Expression) -> Expression:
    """Positive where all of them are: a + b - √(a² + b²)."""
    found = parts[0]
    for part in parts[1:]:
        found = found + part - sympy.sqrt(found**2 + part**2)
    return found


def either(*parts: Expression) -> Expression:
    """Positive where one of them is: a + b + √(a² + b²)."""
    found = parts[0]
    for part in parts[1:]:
        found = found + part + sympy.sqrt(found**2 + part**2)
    return found
