import pytest

from ansatz.engine.building.export import exported
from ansatz.engine.building.graph import layers


@pytest.fixture(scope="module")
def told_layers(told, told_inputs):
    return {each.name: each for each in layers(exported(told, told_inputs)).values()}


def test_roles_are_read_off_the_order_and_the_shapes(told_layers):
    assert {name: each.role for name, each in told_layers.items()} == {
        "embed": "first",
        "time": "first",
        "shift": "modulation",
        "qkv": "hidden",
        "merge": "hidden",
        "few": "narrow",
        "many": "narrow",
        "head": "last",
    }


def test_products_of_two_things_that_flow_are_no_layers(told_layers):
    assert len(told_layers) == 8  # and not the two products of attention


def test_roles_of_convolutions(convolutions, image):
    found = layers(exported(convolutions, image))
    assert {each.name: each.role for each in found.values()} == {
        "first": "first",
        "inner": "hidden",
        "grouped": "grouped",
        "last": "last",
    }


def test_what_torch_keeps_is_kept(told, told_inputs):
    found = layers(exported(told, told_inputs), {"qkv": "modulation", "merge": "hidden"})
    assert {each.role for each in found.values() if each.name == "qkv"} == {"modulation"}
    assert {each.role for each in found.values() if each.name == "merge"} == {"hidden"}
