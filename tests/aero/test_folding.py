import pytest
import torch
from small_cars import brick, invented_fields, lopsided

from ansatz.aero.body import measure
from ansatz.aero.folding import fold, unfold


@pytest.fixture(scope="module")
def even():
    return measure(brick())


@pytest.fixture(scope="module")
def uneven():
    return measure(lopsided())


def fields(surface):
    pressure, shear = invented_fields(surface)
    return torch.cat([pressure[:, None], shear], 1)


@pytest.mark.parametrize("name", ["even", "uneven"])
def test_what_is_unfolded_is_what_was_folded(name, request):
    body = request.getfixturevalue(name)
    whole = fields(body.cells)
    folded = fold(body, body.cells.centers, body.cells.normals)
    # Answers on halves: the y component of a reflected cell is turned round.
    flip = torch.stack([torch.ones_like(folded.signs)] * 4, 1)
    flip[:, 2] = folded.signs
    asked = (whole * flip)[folded.picks]
    torch.testing.assert_close(unfold(asked, folded.source, folded.signs), whole, atol=1e-5, rtol=0)


def test_mirror_images_on_a_symmetric_body_are_asked_once(even):
    cells = even.cells
    left = cells[torch.nonzero(cells.centers[:, 1] > 0).squeeze(1)]
    both = left.mirrored()
    folded = fold(even, both.centers, both.normals)
    assert len(folded.points) == len(left)
    assert folded.sides.max() == 0
    assert torch.equal(folded.source[: len(left)], folded.source[len(left) :])


def test_mirror_images_on_a_lopsided_body_are_asked_on_either_side(uneven):
    points = torch.tensor([[1.0, 0.5, 1.4], [1.0, -0.5, 1.4]])
    up = torch.tensor([[0.0, 0.0, 1.0]] * 2)
    folded = fold(uneven, points, up)
    assert sorted(folded.sides.tolist()) == [0, 1]
    torch.testing.assert_close(folded.points[0], folded.points[1])


def test_folded_points_and_normals_are_those_of_a_half(uneven):
    folded = fold(uneven, uneven.cells.centers, uneven.cells.normals)
    assert float(folded.points[:, 1].min()) >= 0
    right = uneven.cells.centers[folded.picks][:, 1] < 0
    assert torch.equal(folded.sides == 1, right)
    original = uneven.cells.normals[folded.picks]
    torch.testing.assert_close(folded.normals[:, 1].abs(), original[:, 1].abs())
    assert torch.equal(folded.normals[right, 1], -original[right, 1])


def test_only_the_component_across_the_mirror_changes_its_sign():
    values = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    found = unfold(values, torch.tensor([0, 0]), torch.tensor([1.0, -1.0]))
    assert found.tolist() == [[1, 2, 3, 4], [1, 2, -3, 4]]


def test_no_points_fold_to_no_points(even):
    folded = fold(even, torch.zeros(0, 3), torch.zeros(0, 3))
    assert len(folded.points) == len(folded.source) == 0
