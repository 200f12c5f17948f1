"""Which derivatives equations need, and along which directions a network has to be followed.

The derivatives of order k along a direction v are

    D_v^k u = Σ_{|α|=k} k!/α! v^α ∂^α u,

so that a mixed derivative is a combination of derivatives along a few directions: u_xy is
(D²_{x+y} - D²_x - D²_y)/2. Directions are chosen one by one until the wanted derivatives of each
order can be written so, and the weights come from exact rational arithmetic.

Where second derivatives along several axes only ever occur as a sum (a Laplacian), the sum is
followed as one row instead of one per axis: the forward Laplacian (Li et al., arXiv:2307.08214),
or collapsed Taylor mode (Dangel et al., arXiv:2505.13644).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import factorial, prod

import sympy

MultiIndex = tuple[int, ...]
Direction = tuple[int, ...]
HIGHEST = 4  # order of a derivative


@dataclass(frozen=True)
class Wanted:
    """A derivative of a field, or a sum of its second derivatives.

    Attributes:
        field: Name of the field.
        index: How often along each coordinate; all zeros is the field itself.
        axes: If not empty, Σ ∂²/∂x_a² over these coordinates is meant, and `index` is all zeros.
    """

    field: str
    index: MultiIndex
    axes: tuple[int, ...] = ()

    @property
    def order(self) -> int:
        """Of the derivative."""
        return 2 if self.axes else sum(self.index)


@dataclass(frozen=True)
class Rows:
    """What is followed through a network: a value, derivatives along directions, one sum.

    Row 0 is the value. Then, per direction, derivatives of order 1 to `orders`; last, if there is
    one, the sum of the second derivatives along the directions in `collapsed`.

    Attributes:
        directions: In the space of the coordinates.
        orders: Highest order that is kept per direction.
        collapsed: Indices of the directions of the sum.
    """

    directions: tuple[Direction, ...]
    orders: tuple[int, ...]
    collapsed: tuple[int, ...] = ()

    def __str__(self) -> str:
        """In words."""
        orders = [sum(kept >= k for kept in self.orders) for k in range(1, self.highest + 1)]
        parts = [f"{n} of order {k}" for k, n in enumerate(orders, 1) if n]
        total = [f"a sum of {len(self.collapsed)} second ones"] if self.collapsed else []
        return f"a value and derivatives in one pass: {', '.join(parts + total)}"

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The row of the first derivative along each direction."""
        return tuple(1 + sum(self.orders[:i]) for i in range(len(self.orders)))

    @property
    def count(self) -> int:
        """Number of rows."""
        return 1 + sum(self.orders) + bool(self.collapsed)

    @property
    def highest(self) -> int:
        """The highest order of any row."""
        return max((*self.orders, 2 if self.collapsed else 0), default=0)

    @cached_property
    def squares(self) -> tuple[tuple[int, int], ...]:
        """Rows of first derivatives, each with the row of second ones that its square goes into."""
        pure = [(s, s + 1) for s, order in zip(self.starts, self.orders, strict=True) if order > 1]
        return (*pure, *((self.starts[i], self.count - 1) for i in self.collapsed))

    def weights(self, wanted: Wanted) -> dict[int, float]:
        """The rows that a derivative is a combination of, with their weights.

        Raises:
            LookupError: If it is none of these rows'.
        """
        if wanted.axes:
            axes = {self.directions[i].index(1) for i in self.collapsed}
            if axes == set(wanted.axes):
                return {self.count - 1: 1.0}
            return {row: 1.0 for a in wanted.axes for row in self.weights(_pure(wanted, a))}
        order = wanted.order
        if order == 0:
            return {0: 1.0}
        followed = [i for i, kept in enumerate(self.orders) if kept >= order]
        found = combination([self.directions[i] for i in followed], wanted.index)
        if found is None:
            raise LookupError(f"no combination of {self.directions} is the derivative {wanted}")
        return {
            self.starts[followed[i]] + order - 1: float(weight)
            for i, weight in enumerate(found)
            if weight
        }


def _pure(wanted: Wanted, axis: int) -> Wanted:
    return Wanted(wanted.field, tuple(2 * (a == axis) for a in range(len(wanted.index))))


def rows_for(wanted: Iterable[Wanted], dimensions: int) -> Rows:
    """The fewest rows, chosen greedily, that give all wanted derivatives.

    Args:
        wanted: Derivatives of fields that one network gives.
        dimensions: Number of coordinates.

    Raises:
        ValueError: If a derivative is of an order higher than four.
    """
    needed = set(wanted)
    if too_high := [w for w in needed if w.order > HIGHEST]:
        raise ValueError(
            f"{too_high[0].field} is differentiated {too_high[0].order} times, and at most "
            f"{HIGHEST} are supported. Introduce a field for a lower derivative"
        )
    sums = {w.axes for w in needed if w.axes}
    alone = {w.index for w in needed if not w.axes and w.order >= 2}
    collapsed: tuple[int, ...] = ()
    if len(sums) == 1 and not any(max(index) >= 2 for index in alone):
        (collapsed,) = sums
    else:
        needed |= {_pure(w, axis) for w in needed for axis in w.axes}
    orders: dict[Direction, int] = {unit(axis, dimensions): 1 for axis in collapsed}
    indices = {w.index for w in needed if not w.axes}
    for index in sorted(indices, key=lambda i: (sum(i), [-times for times in i])):
        for direction in directions_for(index, orders):
            orders[direction] = max(orders.get(direction, 0), sum(index))
    directions = tuple(orders)
    return Rows(
        directions,
        tuple(orders.values()),
        tuple(directions.index(unit(axis, dimensions)) for axis in collapsed),
    )


def unit(axis: int, dimensions: int) -> Direction:
    """The direction of a coordinate."""
    return tuple(int(a == axis) for a in range(dimensions))


def directions_for(index: MultiIndex, known: dict[Direction, int]) -> list[Direction]:
    """Directions whose derivatives combine to a wanted one; those that are followed anyhow first.

    Args:
        index: Of the derivative.
        known: Directions that are followed already, with their orders.
    """
    order, axes = sum(index), [a for a, times in enumerate(index) if times]
    if order == 0:
        return []
    if len(axes) == 1:
        return [unit(axes[0], len(index))]
    within = [d for d in known if all(not step or a in axes for a, step in enumerate(d))]
    within += [d for d in _candidates(axes, len(index), order) if d not in within]
    # Followed to this order, then followed to a lower one, then the smallest.
    within.sort(key=lambda d: (-known.get(d, 0), sum(map(abs, d))))
    for size in range(2, len(within) + 1):
        found = combination(within[:size], index)
        if found is not None:
            return [d for d, weight in zip(within, found, strict=False) if weight]
    raise AssertionError(f"no directions for the derivative {index}")


def _candidates(axes: Sequence[int], dimensions: int, order: int) -> list[Direction]:
    """Directions with small whole components, of two opposite ones the one that begins with +."""
    reach = range(-(order // 2), order // 2 + 1)
    found = []
    for steps in product(reach, repeat=len(axes)):
        first = next((step for step in steps if step), 0)
        if first > 0:
            direction = [0] * dimensions
            for axis, step in zip(axes, steps, strict=True):
                direction[axis] = step
            found.append(tuple(direction))
    return sorted(found, key=lambda d: (sum(map(abs, d)), d))


def combination(directions: Sequence[Direction], index: MultiIndex) -> list[sympy.Rational] | None:
    """Weights w with Σ w_i D_{v_i}^k u = ∂^α u for every u; None if there are none."""
    order = sum(index)
    monomials = [
        alpha for alpha in product(range(order + 1), repeat=len(index)) if sum(alpha) == order
    ]
    columns = sympy.Matrix(
        [
            [
                sympy.Rational(factorial(order), prod(map(factorial, alpha)))
                * prod(step**times for step, times in zip(direction, alpha, strict=True))
                for direction in directions
            ]
            for alpha in monomials
        ]
    )
    target = sympy.Matrix([int(alpha == index) for alpha in monomials])
    symbols = sympy.symbols(f"w:{len(directions)}")
    solutions = sympy.linsolve((columns, target), *symbols)
    if not solutions:
        return None
    (weights,) = solutions
    return [weight.subs(dict.fromkeys(symbols, 0)) for weight in weights]
