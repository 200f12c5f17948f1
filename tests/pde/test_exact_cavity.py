import numpy as np
import pytest
import sympy

from ansatz.pde.exact import BOTELLA_PEYRET, GHIA_U, GHIA_V, GHIA_X, GHIA_Y, LIDS, MISPRINTS, cavity
from ansatz.pde.exact.clamped import clamped_basis
from ansatz.pde.exact.corner import THETA, angular_functions, singular_flow, singular_stream

LINE = np.linspace(0, 1, 1001)
MIDDLE = np.full_like(LINE, 0.5)


def center_lines(solution):
    return np.stack([solution.velocity(MIDDLE, LINE)[0], solution.velocity(LINE, MIDDLE)[1]])


def differences(f, x, y, h):
    """∂f/∂x, ∂f/∂y and ∇²f by central differences of sixth order."""
    one, two = np.array([45, -9, 1]) / 60, np.array([270, -27, 2]) / 180
    sides = [
        [f(x + s * h, y), f(x - s * h, y), f(x, y + s * h), f(x, y - s * h)] for s in (1, 2, 3)
    ]
    dx = sum(c * (e - w) for c, (e, w, _, _) in zip(one, sides, strict=True)) / h
    dy = sum(c * (n - s) for c, (_, _, n, s) in zip(one, sides, strict=True)) / h
    around = sum(c * (sum(four) - 4 * f(x, y)) for c, four in zip(two, sides, strict=True))
    return dx, dy, around / h**2


@pytest.mark.parametrize(("lid", "reynolds", "n"), [("flat", 400.0, 64), ("parabolic", 400.0, 48)])
def test_vorticity_is_carried_and_diffused(lid, reynolds, n):
    solution = cavity(reynolds, n, lid)
    x, y = np.meshgrid(np.linspace(0.1, 0.9, 17), np.linspace(0.1, 0.9, 17))
    dx, dy, laplacian = differences(solution.vorticity, x, y, 4e-3)
    u, v = solution.velocity(x, y)
    scale = np.abs(u * dx).max()
    assert np.abs(u * dx + v * dy - laplacian / reynolds).max() < 2e-3 * scale


def test_velocity_and_vorticity_are_derivatives_of_one_stream_function():
    solution = cavity(100.0, 32)
    x, y = np.meshgrid(np.linspace(0.1, 0.9, 9), np.linspace(0.1, 0.9, 9))
    dx, dy, laplacian = differences(solution.stream, x, y, 4e-3)
    u, v = solution.velocity(x, y)
    np.testing.assert_allclose(np.stack([u, v]), np.stack([dy, -dx]), atol=1e-9)
    np.testing.assert_allclose(solution.vorticity(x, y), -laplacian, atol=1e-6)


@pytest.mark.parametrize("lid", list(LIDS))
def test_fluid_sticks_to_the_walls_and_to_the_lid(lid):
    solution = cavity(100.0, 32, lid)
    zero, one = np.zeros_like(LINE), np.ones_like(LINE)
    for x, y in ((zero, LINE[:-1]), (one, LINE[:-1]), (LINE, zero)):
        u, v = solution.velocity(x[: len(y)], y)
        np.testing.assert_allclose(np.stack([u, v]), 0, atol=1e-9)
    u, v = solution.velocity(LINE, one)
    np.testing.assert_allclose(u, LIDS[lid].profile(LINE), atol=1e-9)
    np.testing.assert_allclose(v, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("lid", "bounds"), [("regularized", (1e-4, 1e-6)), ("parabolic", (1e-3, 1e-5))]
)
def test_a_lid_without_a_jump_converges_fast(lid, bounds):
    fine = center_lines(cavity(1000.0, 72, lid))
    errors = [np.abs(center_lines(cavity(1000.0, n, lid)) - fine).max() for n in (32, 48)]
    assert errors[0] < bounds[0]
    assert errors[1] < bounds[1]


def test_extrema_at_reynolds_1000_are_those_of_botella_and_peyret():
    solution = cavity(1000.0, 64)
    fine = np.linspace(0, 1, 10001)
    u = solution.velocity(np.full_like(fine, 0.5), fine)[0]
    v = solution.velocity(fine, np.full_like(fine, 0.5))[1]
    for name, line, pick in (
        ("u_min", u, np.argmin),
        ("v_max", v, np.argmax),
        ("v_min", v, np.argmin),
    ):
        value, place = BOTELLA_PEYRET[name]
        assert line[pick(line)] == pytest.approx(value, abs=5e-7)
        assert fine[pick(line)] == pytest.approx(place, abs=1e-4)


def test_center_of_the_vortex_at_reynolds_1000_is_that_of_botella_and_peyret():
    solution, place = cavity(1000.0, 64), (np.array(0.5308), np.array(0.5652))
    assert solution.stream(*place) == pytest.approx(-0.1189366, abs=1e-6)
    assert solution.vorticity(*place) == pytest.approx(-2.067753, abs=1e-4)


@pytest.mark.parametrize(
    ("reynolds", "u_bound", "v_bound"),
    [(100, 0.0051, 0.0093), (400, 0.003, 0.0063), (1000, 0.0064, 0.0186)],
)
def test_center_lines_are_near_the_tables_of_ghia(reynolds, u_bound, v_bound):
    solution = cavity(float(reynolds), 64)
    u = solution.velocity(np.full(17, 0.5), GHIA_Y)[0]
    v = solution.velocity(GHIA_X, np.full(17, 0.5))[1]
    sound = MISPRINTS.get(("v", reynolds)) != GHIA_X
    assert np.abs(u - GHIA_U[reynolds]).max() < u_bound
    assert np.abs(v - GHIA_V[reynolds])[sound].max() < v_bound


def test_slow_flow_is_symmetric():
    solution = cavity(1e-3, 32)
    x, y = np.linspace(0.05, 0.45, 9), np.linspace(0.1, 0.9, 9)
    np.testing.assert_allclose(solution.stream(x, y), solution.stream(1 - x, y), atol=1e-6)


def test_what_cannot_be_solved_is_said():
    with pytest.raises(LookupError, match="flat, parabolic, regularized"):
        cavity(100.0, 16, "round")
    with pytest.raises(ValueError, match="not in"):
        cavity(1e5)
    with pytest.raises(ArithmeticError, match="degree 6"):
        cavity(5000.0, 6)


def test_corner_terms_satisfy_their_equations_and_the_sides():
    (_, f1), (_, f2), (_, f3) = angular_functions()
    t, angle = THETA, sympy.Rational(7, 10)
    inertia = (f1 * (f1 + f1.diff(t, 2))).diff(t)
    equations = [
        f1.diff(t, 4) + 2 * f1.diff(t, 2) + f1,
        f2.diff(t, 4) + 4 * f2.diff(t, 2),
        f3.diff(t, 4) + 4 * f3.diff(t, 2) - inertia,
    ]
    assert max(abs(e.subs(t, angle).evalf(40)) for e in equations) < 1e-30
    for f, lid in ((f1, -1), (f2, -1), (f3, 0)):
        ends = [f.subs(t, 0), f.subs(t, sympy.pi / 2)]
        ends += [f.diff(t).subs(t, 0) - lid, f.diff(t).subs(t, sympy.pi / 2)]
        assert all(sympy.simplify(e) == 0 for e in ends)


def test_corner_terms_are_differentiated_right():
    def stream(x, y):
        return singular_stream(x, y, LIDS["flat"], 3.0)

    x, y = np.array([0.2, 0.4, 0.7]), np.array([0.8, 0.3, 0.6])
    exact = stream(x, y)
    dx, dy, laplacian = differences(lambda *p: stream(*p).psi, x, y, 4e-3)
    bilaplacian = differences(lambda *p: stream(*p).laplacian, x, y, 4e-3)[2]
    np.testing.assert_allclose(np.stack([exact.dx, exact.dy]), np.stack([dx, dy]), atol=1e-9)
    np.testing.assert_allclose(exact.laplacian, laplacian, atol=1e-6)
    np.testing.assert_allclose(exact.bilaplacian, bilaplacian, atol=1e-5)


def test_second_derivatives_of_clamped_functions_are_orthonormal():
    basis = clamped_basis(20, 40)
    bent = basis.values[2][:, 4:]
    np.testing.assert_allclose((bent.T * basis.weights) @ bent, np.eye(17), atol=1e-12)


def test_a_smooth_function_is_found_in_the_clamped_basis():
    basis = clamped_basis(40, 64)
    found = basis.coefficients(np.exp(basis.points))
    np.testing.assert_allclose(found[:4], [1, 1, np.e, np.e], rtol=1e-9)
    np.testing.assert_allclose(basis.values[0] @ found, np.exp(basis.points), rtol=1e-12)


def test_the_flow_of_both_corners_solves_the_equations_of_stokes():
    x, y = sympy.symbols("x y")
    u, v, p = singular_flow(x, y, sympy.Rational(1, 7))
    place = np.random.default_rng(0).random((2, 50))

    def at(expression):
        return sympy.lambdify((x, y), expression, "numpy")(*place)

    pull = [(f.diff(x, 2) + f.diff(y, 2)) / 7 for f in (u, v)]
    assert np.abs(at(u.diff(x) + v.diff(y))).max() < 1e-12
    assert np.abs(at(pull[0] - p.diff(x))).max() < 1e-10
    assert np.abs(at(pull[1] - p.diff(y))).max() < 1e-10
    stream = singular_stream(*place, LIDS["flat"], 0.0)
    np.testing.assert_allclose(at(u), stream.dy, atol=1e-12)
    np.testing.assert_allclose(at(v), -stream.dx, atol=1e-12)


@pytest.mark.parametrize("corner", [(0.0, 1.0), (1.0, 1.0)])
def test_the_flow_of_both_corners_is_finite_in_them(corner):
    x, y = sympy.symbols("x y")
    values = sympy.lambdify((x, y), singular_flow(x, y, 1), "numpy")(*map(np.float64, corner))
    assert np.isfinite(values).all()
