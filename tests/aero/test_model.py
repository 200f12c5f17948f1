import pytest
import torch
from small_cars import TINY

from ansatz.aero import model
from ansatz.aero.cloud import LOCAL_FEATURES
from ansatz.aero.model import (
    POINT_FEATURES,
    VOLUME_FEATURES,
    Domino,
    DominoNet,
    held_in,
    point_features,
    volume_features,
)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return DominoNet(TINY).eval()


def random_points(count, features=POINT_FEATURES, seed=0):
    points = torch.randn(2, count, features, generator=torch.Generator().manual_seed(seed))
    points[..., 3:6] /= points[..., 3:6].norm(dim=-1, keepdim=True)
    return points


def encoded(net, anchors, weights=None):
    return net.encode(anchors, torch.ones(anchors.shape[:2]) if weights is None else weights)


def assert_same(first, second):
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_wall_shear_stress_is_tangential(net):
    queries = random_points(50, seed=1)
    shear = net.surface(encoded(net, random_points(40)), queries)[..., 1:]
    across = (shear * queries[..., 3:6]).sum(-1)
    assert across.abs().max() < 1e-6 * shear.norm(dim=-1).max() + 1e-9


def test_the_order_of_the_anchors_does_not_matter(net):
    anchors, weights = random_points(40), torch.rand(2, 40)
    order = torch.randperm(40)
    assert_same(encoded(net, anchors, weights), encoded(net, anchors[:, order], weights[:, order]))


def test_cells_cut_in_two_are_the_same_body(net):
    anchors, weights = random_points(40), torch.rand(2, 40)
    cut, left = anchors[:, :10], weights[:, :10]
    more = torch.cat([anchors, cut], 1)
    shares = torch.cat([0.3 * left, weights[:, 10:], 0.7 * left], 1)
    assert_same(encoded(net, anchors, weights), encoded(net, more, shares))


def test_the_unit_of_the_areas_does_not_matter(net):
    anchors, weights = random_points(40), torch.rand(2, 40)
    assert_same(encoded(net, anchors, weights), encoded(net, anchors, 1e4 * weights))


def test_every_anchor_is_shared_out_among_the_slices(net):
    member = net.blocks[0].membership(torch.randn(2, 30, TINY.width))
    torch.testing.assert_close(member.sum(-1), torch.ones(2, 30, TINY.heads))


def test_queries_do_not_know_of_one_another(net):
    slices, queries = encoded(net, random_points(40)), random_points(30, seed=2)
    alone = torch.cat([net.surface(slices, queries[:, [i]]) for i in range(30)], 1)
    torch.testing.assert_close(net.surface(slices, queries), alone, atol=1e-6, rtol=1e-5)


def test_pieces_are_answered_as_the_whole_is(net, monkeypatch):
    monkeypatch.setattr(model, "PIECE", 7)
    offers = encoded(net, random_points(40))
    for answer, features in ((net.surface, POINT_FEATURES), (net.volume, VOLUME_FEATURES)):
        queries = random_points(30, features, seed=2)
        whole = answer(offers, queries)  # gradients are on: nothing is cut
        with torch.no_grad():
            in_pieces = answer(offers, queries)
        torch.testing.assert_close(in_pieces, whole, atol=1e-6, rtol=1e-5)


def test_a_point_reads_the_slices_by_its_memberships_through_the_merging_layer():
    torch.manual_seed(1)
    block = DominoNet(TINY).double().blocks[0]
    torch.nn.init.normal_(block.merge.bias)
    anchors = torch.randn(1, 40, TINY.width).double()
    offers, member = block.pool(anchors, torch.full((1, 40), 1 / 40).double())
    # Merging is linear: slices are known from what they offer, less the bias, shared by the heads.
    offered = offers.unflatten(1, (TINY.heads, -1)) - block.merge.bias / TINY.heads
    taken = torch.einsum("bnhs,bhsw->bnw", member, offered)
    points = anchors + taken + block.merge.bias
    torch.testing.assert_close(block.read(anchors, offers), points + block.point(points))


def test_a_network_held_in_bfloat16_is_the_same_to_eight_bits():
    torch.manual_seed(0)
    plain = TINY.build().eval()
    narrow = held_in(plain, torch.bfloat16)
    anchors, queries = random_points(40), random_points(30, seed=2)
    weights = torch.rand(2, 40)
    for one, other in zip(plain.members, narrow.members, strict=True):
        exact = one.surface(one.encode(anchors, weights), queries)
        rounded = other.surface(other.encode(anchors, weights), queries)
        error = (rounded - exact).norm() / exact.norm()
        assert 1e-4 < error < 2e-2
    assert next(plain.parameters()).dtype is torch.float32


def test_bodies_of_a_batch_do_not_know_of_one_another(net):
    anchors, queries = random_points(40), random_points(5, VOLUME_FEATURES)
    both = net.volume(encoded(net, anchors), queries)
    second = net.volume(encoded(net, anchors[1:]), queries[1:])
    torch.testing.assert_close(both[1:], second, atol=1e-6, rtol=1e-5)


def test_queries_depend_on_the_body(net):
    queries = random_points(5)
    found = [net.surface(encoded(net, random_points(40, seed=seed)), queries) for seed in (1, 2)]
    assert (found[0] - found[1]).abs().max() > 1e-4


def test_members_of_an_ensemble_differ():
    first, second = (member.state_dict() for member in TINY.build().members)
    assert not torch.equal(first["embed_surface.0.weight"], second["embed_surface.0.weight"])


def test_features_are_as_many_as_the_network_expects():
    scaled, up = torch.rand(7, 3), torch.tensor([0.0, 0.0, 1.0]).expand(7, 3)
    found = point_features(scaled, up, torch.zeros(7, LOCAL_FEATURES), torch.ones(3), 0.1)
    assert found.shape == (7, POINT_FEATURES)
    more = volume_features(found, torch.linspace(-1, 1, 7))
    assert more.shape == (7, VOLUME_FEATURES)
    # Distances are squeezed between -1 and 1, in their order.
    assert more[:, -2:].abs().max() < 1
    assert (more[1:, -2:] > more[:-1, -2:]).all()


def test_heads_that_cannot_share_the_width_are_refused():
    with pytest.raises(ValueError, match="width=20 is no multiple of heads=3"):
        Domino(width=20, heads=3).build()
