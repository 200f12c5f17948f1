"""From equations in symbols to functions of tensors, and what they need of the fields.

A residual is a sympy expression of coordinates, parameters, fields and their derivatives. Each
derivative becomes a name of its own; where the second derivatives of a field along several axes
occur in all expressions as one sum only, so does that sum. What is left is algebra, which sympy
turns into a function with common terms computed once. Functions that are given, as a distance from
a wall, are differentiated by sympy, each by itself: in a product with a field they would blow the
algebra up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sympy
import torch
from sympy.core.function import AppliedUndef
from torch import Tensor

from ansatz.pde.plan import Wanted

Values = Mapping[Wanted, Tensor]


def _greater(a: Tensor, b: Tensor) -> Tensor:
    return torch.clamp_min(a, b) if isinstance(a, Tensor) else torch.clamp_min(b, a)


def _less(a: Tensor, b: Tensor) -> Tensor:
    return torch.clamp_max(a, b) if isinstance(a, Tensor) else torch.clamp_max(b, a)


def _heaviside(x: Tensor, middle: float) -> Tensor:
    return torch.where(x == 0, middle, (x > 0).to(x))


# What sympy's printer for torch calls by these names takes no plain numbers.
MENDED = {"max": _greater, "min": _less, "heaviside": _heaviside}


@dataclass(frozen=True)
class Residuals:
    """Residuals as a function of tensors.

    Attributes:
        names: Of the residuals, in order.
        wanted: The derivatives that they are made of, in order.
        symbols: Names of the further inputs: coordinates, then parameters.
        given: From the further inputs to the derivatives of given functions.
        function: From the further inputs, the derivatives of given functions and those of the
            fields, one tensor each, to the residuals.
    """

    names: tuple[str, ...]
    wanted: tuple[Wanted, ...]
    symbols: tuple[str, ...]
    given: Callable[..., Sequence[Tensor | float]]
    function: Callable[..., Sequence[Tensor | float]]

    def __call__(self, inputs: Mapping[str, Tensor], values: Values) -> dict[str, Tensor]:
        """Evaluate the residuals.

        Args:
            inputs: Coordinates, shape (points,), and parameters, (points,) or (), by name.
            values: The derivatives, shape (points,).

        Raises:
            LookupError: If an input is missing.
        """
        if missing := [name for name in self.symbols if name not in inputs]:
            raise LookupError(
                f"the equations hold {', '.join(missing)}, which is no coordinate and no "
                f"parameter of the problem; known are {', '.join(inputs)}"
            )
        others = [inputs[name] for name in self.symbols]
        derivatives = [values[w] for w in self.wanted]
        found = self.function(*others, *self.given(*others), *derivatives)
        like = derivatives[-1] if derivatives else max(inputs.values(), key=Tensor.numel)
        return {
            name: torch.as_tensor(value, dtype=like.dtype, device=like.device).expand_as(like)
            for name, value in zip(self.names, found, strict=True)
        }


def compiled(
    equations: Mapping[str, sympy.Expr],
    coordinates: Sequence[sympy.Symbol],
    given: Mapping[str, sympy.Expr] | None = None,
) -> Residuals:
    """Turn equations into a function of tensors.

    Args:
        equations: Residuals by name.
        coordinates: Of the problem, in order.
        given: Functions that are known, as expressions of the further inputs, by name.

    Raises:
        ValueError: If a field is not a function of the coordinates.
    """
    expressions = [sympy.sympify(e).doit() for e in equations.values()]
    names: dict[sympy.Dummy, Wanted] = {}
    expressions = [_named(e, coordinates, names) for e in expressions]
    expressions = _collapsed(expressions, names)
    used = set().union(*(e.free_symbols for e in expressions)) if expressions else set()
    functions = given or {}
    of_given = [s for s in names if s in used and names[s].field in functions]
    derivatives = [s for s in names if s in used and names[s].field not in functions]
    known = [_derivative(functions[names[s].field], names[s], coordinates) for s in of_given]
    held = used.union(*(e.free_symbols for e in known))
    others = sorted((s for s in held if s not in names), key=str)
    return Residuals(
        tuple(equations),
        tuple(names[s] for s in derivatives),
        tuple(s.name for s in others),
        of_tensors(others, known),
        of_tensors([*others, *of_given, *derivatives], expressions),
    )


def _derivative(
    function: sympy.Expr, wanted: Wanted, coordinates: Sequence[sympy.Symbol]
) -> sympy.Expr:
    """A derivative of a given function."""
    for coordinate, order in zip(coordinates, wanted.index, strict=True):
        function = function.diff(coordinate, order, simplify=False)
    if not wanted.axes:
        return function
    return sympy.Add(*(function.diff(coordinates[axis], 2, simplify=False) for axis in wanted.axes))


def of_tensors(
    symbols: Sequence[sympy.Symbol], expressions: Sequence[sympy.Expr]
) -> Callable[..., list[Tensor | float]]:
    """A function of tensors, one for each symbol, whose values are those of expressions.

    Common terms are computed once. What depends on no symbol is a number.
    """
    folded = [_folded(e) for e in expressions]
    function: Callable[..., list[Tensor | float]] = sympy.lambdify(
        symbols, folded, modules=[MENDED, "torch"], cse=True
    )
    return function


def _folded(expression: sympy.Expr) -> sympy.Expr:
    """An expression with numbers in the place of √2, 2π and the like."""
    folded: sympy.Expr = expression.replace(
        lambda e: (e.is_number and not e.is_Rational and not e.is_Atom) or e.is_NumberSymbol,
        lambda e: e.evalf(17),
    )
    return folded


def _named(
    expression: sympy.Expr, coordinates: Sequence[sympy.Symbol], names: dict[sympy.Dummy, Wanted]
) -> sympy.Expr:
    """An expression with a symbol in the place of each field and derivative; longest first."""
    known = {wanted: symbol for symbol, wanted in names.items()}
    atoms = expression.atoms(sympy.Derivative) | expression.atoms(AppliedUndef)
    places = {}
    for atom in sorted(atoms, key=lambda a: -sympy.count_ops(a)):
        wanted = _wanted(atom, coordinates)
        if wanted not in known:
            known[wanted] = sympy.Dummy(f"{wanted.field}{''.join(map(str, wanted.index))}")
            names[known[wanted]] = wanted
        places[atom] = known[wanted]
    named: sympy.Expr = expression.xreplace(places)
    return named


def _wanted(atom: sympy.Expr, coordinates: Sequence[sympy.Symbol]) -> Wanted:
    """The field or derivative that an atom of an expression is."""
    field = atom.expr if isinstance(atom, sympy.Derivative) else atom
    if not isinstance(field, AppliedUndef) or not set(field.args) <= set(coordinates):
        raise ValueError(
            f"{atom} is no derivative of a field of the coordinates "
            f"{', '.join(map(str, coordinates))}"
        )
    counts = dict(atom.variable_count) if isinstance(atom, sympy.Derivative) else {}
    return Wanted(field.func.__name__, tuple(int(counts.get(c, 0)) for c in coordinates))


def _collapsed(expressions: list[sympy.Expr], names: dict[sympy.Dummy, Wanted]) -> list[sympy.Expr]:
    """Expressions with sums of second derivatives as symbols, where nothing else is needed."""
    dimensions = len(next(iter(names.values())).index) if names else 0
    for field in dict.fromkeys(wanted.field for wanted in names.values()):
        pure = {w.index.index(2): s for s, w in names.items() if w.field == field and _is_pure(w)}
        axes = max((_alike(expressions, pure, axis) for axis in pure), key=len, default=())
        if len(axes) > 1:
            total = sympy.Dummy(f"{field}_sum")
            names[total] = Wanted(field, (0,) * dimensions, axes)
            # Who depends on the sum alone may as well be asked with all of it in one term.
            places = {pure[axis]: sympy.Integer(0) for axis in axes} | {pure[axes[0]]: total}
            expressions = [e.xreplace(places) for e in expressions]
    return expressions


def _is_pure(wanted: Wanted) -> bool:
    return not wanted.axes and sorted(wanted.index)[-1:] == [2] and sum(wanted.index) == 2


def _alike(
    expressions: list[sympy.Expr], second: dict[int, sympy.Dummy], axis: int
) -> tuple[int, ...]:
    """The axes whose second derivatives enter every expression just as that along `axis` does."""
    return tuple(
        other
        for other in sorted(second)
        if all(sympy.expand(e.diff(second[axis]) - e.diff(second[other])) == 0 for e in expressions)
    )
