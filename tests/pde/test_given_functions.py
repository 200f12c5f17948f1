"""Functions that are given: distances of R-functions, differentiated by themselves."""

import numpy as np
import pytest
import sympy
import torch

from ansatz import pde
from ansatz.pde.networks import Box, Network
from ansatz.pde.trial import TrialConfig

x, y = pde.coordinates("x y")
u, raw, still = pde.fields("u raw still", x, y)
BOX = pde.rectangle((0, 0), (1, 1))
GRID = np.stack(np.meshgrid(np.linspace(-1, 2, 25), np.linspace(-1, 2, 25)), -1).reshape(-1, 2)


def values(expression, points=GRID):
    return np.asarray(sympy.lambdify((x, y), expression, "numpy")(*points.T))


def test_both_is_positive_where_both_are_and_either_where_one_is():
    a, b = x - sympy.Rational(1, 2), 1 - x * y
    first, second = values(a), values(b)
    clear = (np.abs(first) > 1e-9) & (np.abs(second) > 1e-9)
    np.testing.assert_array_equal(
        values(pde.both(a, b))[clear] > 0, ((first > 0) & (second > 0))[clear]
    )
    np.testing.assert_array_equal(
        values(pde.either(a, b))[clear] > 0, ((first > 0) | (second > 0))[clear]
    )


def test_a_square_of_r_functions_is_zero_on_its_sides_only():
    square = pde.both(x, 1 - x, y, 1 - y)
    side = np.linspace(0.05, 0.95, 7)
    for sides in ((side, 0 * side), (0 * side, side), (side, 0 * side + 1), (0 * side + 1, side)):
        np.testing.assert_allclose(values(square, np.stack(sides, 1)), 0, atol=1e-15)
    inside = ((GRID > 0) & (GRID < 1)).all(1)
    assert (values(square)[inside] > 0).all()


def problem(definitions):
    inside = {"inside": pde.Inside(BOX, pde.poisson(u, 1), points=10)}
    return pde.Problem((u,), inside, definitions=definitions)


def test_a_given_function_gives_the_derivatives_of_one_written_out():
    distance = sympy.tanh(pde.both(x, 1 - x, y + x**2, 1 - y))
    short = problem({still: distance, u: still * raw})
    long = problem({u: distance * raw})
    asked = {
        "u": u, "u_x": u.diff(x), "u_xy": u.diff(x, y), "laplacian": pde.laplacian(u),
        "still_yy": u.diff(y, 2) - u.diff(y) ** 2,
    }  # fmt: skip
    torch.manual_seed(0)
    trial = TrialConfig(short, Network(width=8, depth=2)).build().double()
    other = TrialConfig(long, Network(width=8, depth=2)).build().double()
    other.load_state_dict(trial.state_dict())
    rng = torch.Generator().manual_seed(1)
    known = {s: torch.rand(50, generator=rng, dtype=torch.float64) * 0.8 + 0.1 for s in "xy"}
    found, expected = trial.evaluate(asked, known), other.evaluate(asked, known)
    for name in asked:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-10, atol=1e-12)


def test_a_given_function_itself_may_be_asked_for():
    trial = TrialConfig(problem({still: x * y**3, u: still * raw}), Network(width=8)).build()
    known = {"x": torch.tensor([2.0]), "y": torch.tensor([3.0])}
    found = trial.evaluate({"value": still, "slope": still.diff(y, 2)}, known)
    assert found["value"].item() == 54
    assert found["slope"].item() == 36


def test_waves_come_into_the_network_beside_their_coordinate():
    box = Box((0.0, -1.0), (2.0, 1.0), 1, waves=((0, 0.25),))
    inputs = Network(width=8, depth=1).build(box).double().inputs
    points = torch.tensor([[0.3, 0.5], [0.55, 0.5], [0.425, 0.5]], dtype=torch.float64)
    cosine, sine, along, other = inputs(points).unbind(1)
    torch.testing.assert_close(along, points[:, 0] - 1)
    torch.testing.assert_close(other, points[:, 1])
    torch.testing.assert_close(cosine[0], cosine[1])  # a wave further
    torch.testing.assert_close(sine[0], -sine[2])  # half a wave further


def test_waves_are_along_coordinates():
    with pytest.raises(ValueError, match="k is periodic, or has waves, and is no coordinate"):
        pde.Problem((u,), {"c": pde.Inside(BOX, pde.poisson(u, 1))}, waves={sympy.Symbol("k"): 1.0})
