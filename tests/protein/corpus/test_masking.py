import numpy as np
import pytest

from ansatz.protein.corpus.alphabet import CLS, EOS, MASK, PAD, UNK
from ansatz.protein.corpus.masking import BERT, BIONEMO_1_2, Masking, masked


@pytest.fixture
def tokens():
    rng = np.random.default_rng(0)
    drawn = rng.integers(4, 31, 400_000).astype(np.uint8)
    drawn[::100], drawn[99::100], drawn[50::1000], drawn[-500:] = CLS, EOS, UNK, PAD
    return drawn


def off(count, total, share):
    """Deviation of a binomial count from its mean, in standard deviations."""
    return abs(count - total * share) / np.sqrt(total * share * (1 - share))


@pytest.mark.parametrize("masking", [BERT, BIONEMO_1_2, Masking(0.3, 0.2, 0.5)])
def test_shares_are_those_of_the_recipe(tokens, masking):
    found = masked(tokens, masking, np.random.default_rng(1))
    m = len(found.places)
    assert off(m, ((tokens >= 4) & (tokens < 31)).sum(), masking.share) < 5
    seen = found.tokens[found.places]
    assert off((seen == MASK).sum(), m, masking.mask) < 5
    changed = (seen != MASK) & (seen != found.labels)
    # Of 27 kinds of residues here, 20 are replaced by themselves once in 20 times.
    same = 0.0 if masking.another else 20 / 27 / 20
    assert off(changed.sum(), m, masking.random * (1 - same)) < 5


@pytest.mark.parametrize("masking", [BERT, BIONEMO_1_2])
def test_only_residues_are_chosen_and_only_amino_acids_put_in(tokens, masking):
    found = masked(tokens, masking, np.random.default_rng(2))
    assert np.array_equal(found.labels, tokens[found.places])
    assert found.labels.min() >= 4
    assert found.labels.max() <= 30
    elsewhere = np.ones(len(tokens), bool)
    elsewhere[found.places] = False
    assert np.array_equal(found.tokens[elsewhere], tokens[elsewhere])
    put_in = found.tokens[found.tokens != tokens]
    assert set(put_in.tolist()) == {MASK, *range(4, 24)}


def test_replacements_are_uniform_among_the_others():
    tokens = np.full(200_000, 5, np.uint8)
    found = masked(tokens, Masking(1.0, 0.0, 1.0, another=True), np.random.default_rng(3))
    counts = np.bincount(found.tokens, minlength=33)
    assert counts[5] == 0
    assert counts[:4].sum() + counts[24:].sum() == 0
    others = counts[[t for t in range(4, 24) if t != 5]]
    assert np.abs(others - 200_000 / 19).max() < 5 * np.sqrt(200_000 / 19)


def test_masking_is_a_function_of_its_generator_and_leaves_its_input(tokens):
    before = tokens.copy()
    one, two = (masked(tokens, BERT, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(tokens, before)
    for name in ("tokens", "places", "labels"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


def test_the_container_of_the_reference_leaves_no_chosen_residue_as_it_is(tokens):
    found = masked(tokens, BIONEMO_1_2, np.random.default_rng(4))
    assert (found.tokens[found.places] != found.labels).all()


def test_shares_above_one_are_refused():
    with pytest.raises(ValueError, match="at most 1"):
        Masking(mask=0.8, random=0.3)
