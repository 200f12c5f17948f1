import itertools

import pytest
import torch

from ansatz.pde.activations import ACTIVATIONS
from ansatz.pde.jets import Jet, activate, add, coordinates, linear, multiply
from ansatz.pde.plan import Rows, Wanted, rows_for

torch.set_default_dtype(torch.float32)
DOUBLE = torch.float64


def nested(function, points, index):
    """The derivative by repeated reverse differentiation, which is the reference."""
    points = points.clone().requires_grad_()
    value = function(points)
    for axis, times in enumerate(index):
        for _ in range(times):
            (slope,) = torch.autograd.grad(value.sum(), points, create_graph=True)
            value = slope[:, axis]
    return value.detach()


def network(activation, width=8, seed=0):
    rng = torch.Generator().manual_seed(seed)
    shapes = [(width, 3), (width, width), (1, width)]
    weights = [torch.randn(s, generator=rng, dtype=DOUBLE) / s[1] ** 0.5 for s in shapes]
    biases = [torch.randn(s[0], generator=rng, dtype=DOUBLE) for s in shapes]

    def forward(x):
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            hidden = activate(linear(x, weight, bias), activation)
            # A gate, so that products are differentiated, too.
            x = add(multiply(hidden, hidden), hidden)
        return linear(x, weights[-1], biases[-1])

    return forward


def derivative(jet: Jet, wanted: Wanted):
    return sum(weight * jet.rows[row][:, 0] for row, weight in jet.layout.weights(wanted).items())


POINTS = torch.rand(5, 3, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_of_activations_are_those_of_autograd(name):
    z = torch.linspace(-4, 4, 41, dtype=DOUBLE).requires_grad_()
    found = ACTIVATIONS[name](z, 4)
    for order in range(4):
        (slope,) = torch.autograd.grad(found[order].sum(), z, create_graph=True)
        torch.testing.assert_close(found[order + 1], slope, rtol=1e-10, atol=1e-10)
        assert len(ACTIVATIONS[name](z, order)) == order + 1


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_jets_agree_with_nested_differentiation_to_order_four(name):
    forward = network(ACTIVATIONS[name])
    for index in itertools.product(range(5), repeat=3):
        if not 0 < sum(index) <= 4 or (sum(index) == 4 and min(index[:2]) == 0 and index[2] > 1):
            continue
        wanted = Wanted("u", index)
        jet = forward(coordinates(POINTS, rows_for([wanted], 3)))
        expected = nested(lambda x: forward(x)[:, 0], POINTS, index)
        torch.testing.assert_close(derivative(jet, wanted), expected, rtol=1e-9, atol=1e-9)


def test_a_laplacian_is_one_row_and_the_sum_of_its_terms():
    forward = network(ACTIVATIONS["tanh"])
    laplacian = Wanted("u", (0, 0, 0), (0, 1, 2))
    slope = Wanted("u", (0, 1, 0))
    rows = rows_for([laplacian, slope], 3)
    assert rows.count == 1 + 3 + 1
    jet = forward(coordinates(POINTS, rows))
    expected = sum(
        nested(lambda x: forward(x)[:, 0], POINTS, index)
        for index in ((2, 0, 0), (0, 2, 0), (0, 0, 2))
    )
    torch.testing.assert_close(derivative(jet, laplacian), expected, rtol=1e-10, atol=1e-10)
    first = nested(lambda x: forward(x)[:, 0], POINTS, (0, 1, 0))
    torch.testing.assert_close(derivative(jet, slope), first)


def test_gradients_of_weights_flow_through_a_laplacian():
    weight = torch.randn(4, 2, dtype=DOUBLE, requires_grad=True)
    laplacian = Wanted("u", (0, 0), (0, 1))
    points = POINTS[:, :2]

    def of(weight, points):
        return activate(linear(points, weight), ACTIVATIONS["tanh"])

    jet = of(weight, coordinates(points, rows_for([laplacian], 2)))
    (found,) = torch.autograd.grad(derivative(jet, laplacian).pow(2).sum(), weight)

    x = points.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(of(weight, x)[:, 0].sum(), x, create_graph=True)
    total = sum(
        torch.autograd.grad(slopes[:, a].sum(), x, create_graph=True)[0][:, a] for a in range(2)
    )
    (expected,) = torch.autograd.grad(total.pow(2).sum(), weight)
    torch.testing.assert_close(found, expected)


def test_no_rows_are_followed_that_no_derivative_needs():
    assert rows_for([Wanted("p", (1, 0)), Wanted("p", (0, 1))], 2).count == 3
    assert rows_for([Wanted("u", (1, 1))], 2).count == 1 + 3 * 2
    both = [Wanted("u", (0, 0), (0, 1)), Wanted("u", (2, 0))]
    assert rows_for(both, 2) == Rows(((1, 0), (0, 1)), (2, 2))


def test_a_fifth_derivative_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match="u is differentiated 5 times, and at most 4"):
        rows_for([Wanted("u", (5,))], 1)
