"""The network on packed sequences: neighbors play no part, and what training needs."""

import pytest
import torch
from packed_sequences import packed, sequences, stirred
from torch.nn.functional import cosine_similarity

from ansatz.protein.corpus.alphabet import MASK
from ansatz.protein.model.attention import Spans
from ansatz.protein.model.config import Esm
from ansatz.protein.model.network import scale_of_tokens

SMALL = Esm(layers=2, width=64, heads=4, longest=256)
LEARNED = Esm(layers=2, width=64, heads=4, positions="learned", longest=70, token_dropout=False)


@pytest.mark.parametrize("config", [SMALL, LEARNED], ids=["rotary", "learned"])
def test_a_sequence_has_the_same_states_alone_and_in_any_company(config):
    network, parts = stirred(config.build()).eval(), sequences()
    with torch.no_grad():
        together = network.states(*packed(parts)).split([len(p) for p in parts])
        reverse = network.states(*packed(parts[::-1])).split([len(p) for p in parts[::-1]])
        alone = [network.states(*packed([p])) for p in parts]
    # Products with other numbers of rows may sum in another order; nothing else differs.
    for one, other, single in zip(together, reverse[::-1], alone, strict=True):
        torch.testing.assert_close(one, single, rtol=0, atol=5e-6)
        torch.testing.assert_close(other, single, rtol=0, atol=5e-6)


def test_in_float64_company_changes_nothing_but_rounding():
    network, parts = stirred(SMALL.build()).double().eval(), sequences()
    with torch.no_grad():
        together = network(*packed(parts))
        alone = torch.cat([network(*packed([p])) for p in parts])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-13)


def test_other_residues_in_the_neighbors_change_not_a_single_bit():
    network, parts = stirred(SMALL.build()).eval(), sequences()
    others = sequences(seed=1, share=0.5)
    with torch.no_grad():
        for autocast in (False, True):
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                found = network.states(*packed(parts))
                mixed = network.states(*packed([*others[:2], parts[2], parts[3], *others[4:]]))
            assert torch.equal(found[42:108], mixed[42:108])
            assert not torch.equal(found[:42], mixed[:42])


def test_token_dropout_scales_each_sequence_by_its_own_masks():
    parts = [torch.tensor([0, 5, MASK, 7, MASK, 9, 5, 5, 5, 2]), torch.tensor([0, 5, 2])]
    tokens, starts = packed(parts)
    found = scale_of_tokens(tokens, Spans(starts, 13), torch.float64)
    expected = torch.full((13,), 0.88 / 0.8)
    expected[[2, 4]] = 0.0
    expected[10:] = 0.88
    torch.testing.assert_close(found.float(), expected)


def test_logits_at_places_are_those_of_all_tokens():
    network, parts = stirred(SMALL.build()).eval(), sequences()
    tokens, starts = packed(parts)
    places = torch.tensor([3, 0, 100, 100])
    with torch.no_grad():
        found, whole = network(tokens, starts, places), network(tokens, starts)
    assert whole.shape == (len(tokens), 33)
    torch.testing.assert_close(found, whole[places], rtol=0, atol=5e-6)


def test_checkpointing_gives_the_same_gradients():
    plain, thrifty = SMALL.build(), Esm(2, 64, 4, longest=256, checkpointing=True).build()
    thrifty.load_state_dict(plain.state_dict())
    gradients = []
    for network in (plain, thrifty):
        network(*packed(sequences())).square().mean().backward()
        gradients.append([p.grad for p in network.parameters() if p.requires_grad])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_bfloat16_stays_within_two_percent_of_float32_states():
    network, parts = stirred(SMALL.build(), size=0.03).eval(), sequences()
    with torch.no_grad():
        exact = network.states(*packed(parts))
        with torch.autocast("cpu", torch.bfloat16):
            found = network.states(*packed(parts)).float()
    assert (found - exact).norm() < 0.02 * exact.norm()
    assert cosine_similarity(found, exact).min() > 0.999


def test_bfloat16_gradients_point_the_same_way():
    gradients = []
    for autocast in (False, True):
        torch.manual_seed(0)
        network = SMALL.build()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = network(*packed(sequences())).float().logsumexp(-1).sum()
        loss.backward()
        gradients.append(
            torch.cat([p.grad.flatten() for p in network.parameters() if p.requires_grad])
        )
    assert cosine_similarity(*gradients, dim=0) > 0.999


def test_dropout_is_for_training_only():
    network = Esm(layers=2, width=64, heads=4, dropout=0.5).build()
    tokens = packed(sequences())
    with torch.no_grad():
        assert not torch.equal(network(*tokens), network(*tokens))
        network.eval()
        assert torch.equal(network(*tokens), network(*tokens))


def test_sequences_longer_than_learned_positions_are_refused_and_rotary_ones_are_not():
    tokens = packed(sequences((3, 71)))
    with pytest.raises(ValueError, match=r"71 tokens.*positions of 70"):
        LEARNED.build()(*tokens)
    assert len(Esm(layers=1, width=32, heads=2, longest=70).build()(*tokens)) == 74


def test_heads_must_share_the_width_in_even_parts():
    with pytest.raises(ValueError, match="no multiple of heads=3"):
        Esm(width=320, heads=3).build()
    with pytest.raises(ValueError, match=r"9 features.*even"):
        Esm(width=36, heads=4).build()
