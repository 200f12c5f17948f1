import pytest
import sympy
import torch

from ansatz.pde.plan import Wanted
from ansatz.pde.residual import compiled
from ansatz.pde.symbols import advection, coordinates, divergence, fields, laplacian, space

x, y, t = coordinates("x y t")
u, v, p = fields("u v p", x, y)
nu = sympy.Symbol("nu")
FLOW = {
    "mass": divergence((u, v)),
    "momentum_x": advection((u, v), u) + p.diff(x) - nu * laplacian(u),
    "momentum_y": advection((u, v), v) + p.diff(y) - nu * laplacian(v),
}


def test_kovasznay_flow_has_no_residual():
    reynolds = 40.0
    decay = reynolds / 2 - (reynolds**2 / 4 + 4 * sympy.pi**2) ** 0.5
    known = {
        u: 1 - sympy.exp(decay * x) * sympy.cos(2 * sympy.pi * y),
        v: decay / (2 * sympy.pi) * sympy.exp(decay * x) * sympy.sin(2 * sympy.pi * y),
        p: (1 - sympy.exp(2 * decay * x)) / 2,
    }
    flow = compiled(FLOW, (x, y))
    points = torch.rand(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    by_name = {field.func.__name__: expression for field, expression in known.items()}

    def exact(wanted):
        expression = by_name[wanted.field]
        terms = [expression.diff(a, 2) for a in (x, y)] if wanted.axes else [expression]
        for axis, times in zip((x, y), wanted.index, strict=True):
            terms = [term.diff(axis, times) for term in terms]
        function = sympy.lambdify((x, y), sympy.Add(*terms))
        return torch.tensor([float(function(*point)) for point in points.tolist()]).double()

    values = {wanted: exact(wanted) for wanted in flow.wanted}
    residuals = flow({"nu": torch.tensor(1 / reynolds, dtype=torch.float64)}, values)
    assert list(residuals) == list(FLOW)
    for residual in residuals.values():
        # Their values went through float32 once.
        assert residual.abs().max() < 1e-5


def test_second_derivatives_that_occur_as_a_sum_only_are_one():
    wanted = set(compiled(FLOW, (x, y)).wanted)
    assert {w for w in wanted if w.order == 2} == {
        Wanted("u", (0, 0), (0, 1)),
        Wanted("v", (0, 0), (0, 1)),
    }
    # A product that holds the sum keeps it; unequal weights do not.
    squared = compiled({"r": laplacian(u) * u.diff(x) + laplacian(u) ** 2}, (x, y))
    assert Wanted("u", (0, 0), (0, 1)) in squared.wanted
    uneven = compiled({"r": u.diff(x, 2) + 2 * u.diff(y, 2)}, (x, y))
    assert set(uneven.wanted) == {Wanted("u", (2, 0)), Wanted("u", (0, 2))}
    alone = compiled({"r": laplacian(u), "s": u.diff(x, 2)}, (x, y))
    assert set(alone.wanted) == {Wanted("u", (2, 0)), Wanted("u", (0, 2))}


def test_a_derivative_of_a_product_is_carried_out():
    found = compiled({"r": sympy.diff(u * v, x)}, (x, y))
    assert set(found.wanted) == {Wanted(f, i) for f in ("u", "v") for i in ((0, 0), (1, 0))}


def test_time_is_no_coordinate_of_space():
    (w,) = fields("w", x, y, t)
    assert space(w) == (x, y)
    wave = compiled({"wave": w.diff(t, 2) - 4 * laplacian(w)}, (x, y, t))
    assert set(wave.wanted) == {Wanted("w", (0, 0, 2)), Wanted("w", (0, 0, 0), (0, 1))}


def test_a_number_is_a_residual_at_every_point():
    found = compiled({"r": u - u + 3, "s": 2 * nu}, (x, y))
    residuals = found({"nu": torch.tensor(0.1), "x": torch.zeros(4)}, {})
    torch.testing.assert_close(residuals["r"], torch.full((4,), 3.0))
    torch.testing.assert_close(residuals["s"], torch.full((4,), 0.2))
    source = compiled({"r": sympy.sin(x) + 0 * u}, (x, y))
    torch.testing.assert_close(source({"x": torch.ones(2)}, {})["r"], torch.ones(2).sin())


def test_what_is_missing_is_named():
    flow = compiled(FLOW, (x, y))
    values = {wanted: torch.zeros(2) for wanted in flow.wanted}
    with pytest.raises(LookupError, match="hold nu, which is no coordinate and no parameter"):
        flow({"x": torch.zeros(2)}, values)
    with pytest.raises(ValueError, match="no derivative of a field of the coordinates x"):
        compiled({"r": u.diff(y)}, (x,))
