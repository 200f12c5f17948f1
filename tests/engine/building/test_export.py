import pytest
import torch
from torch import nn

from ansatz.engine.building.export import ExportError, exported, opset_of
from ansatz.engine.building.runtime import function, session


def test_a_graph_gives_what_the_module_gives_for_other_inputs(told, told_inputs):
    graph = exported(told, told_inputs)
    assert opset_of(graph) >= 20
    other = tuple(2 * t + 1 for t in told_inputs)
    torch.testing.assert_close(
        function(session(graph))(*other), told(*other).detach(), rtol=1e-4, atol=1e-5
    )


def test_an_axis_that_may_change_does(told, told_inputs):
    x, time = told_inputs
    call = function(session(exported(told, told_inputs, dynamic=[{1: "tokens"}, None])))
    longer = torch.cat([x, 3 * x], 1)
    torch.testing.assert_close(
        call(longer, time), told(longer, time).detach(), rtol=1e-4, atol=1e-5
    )


def test_a_branch_on_numbers_has_no_graph():
    class Branches(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ExportError, match="Branches has no graph"):
        exported(Branches(), (torch.ones(3),))


def test_random_numbers_are_found_out():
    class Noisy(nn.Module):
        def forward(self, x):
            return x + torch.randn_like(x)

    with pytest.raises(ExportError, match="away from the module"):
        exported(Noisy(), (torch.ones(64),))


def test_old_operators_are_refused(told, told_inputs):
    with pytest.raises(ValueError, match="too old"):
        exported(told, told_inputs, opset=17)
