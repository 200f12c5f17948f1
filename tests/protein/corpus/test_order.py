import numpy as np
import pytest

from ansatz.protein.corpus.order import below, random_words, shuffled


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 17, 64, 65, 1000, 65_537])
def test_each_epoch_is_a_permutation(n):
    for seed in (0, 1, 2**63):
        two = shuffled(np.arange(2 * n), n, seed)
        assert np.array_equal(np.sort(two[:n]), np.arange(n))
        assert np.array_equal(np.sort(two[n:]), np.arange(n))


def test_an_order_belongs_to_seed_and_epoch():
    n = 1000
    orders = [shuffled(np.arange(n) + epoch * n, n, seed) for seed in (0, 1) for epoch in (0, 1)]
    for i, one in enumerate(orders):
        for other in orders[:i]:
            assert (one == other).mean() < 0.01


def test_a_position_does_not_depend_on_who_asks():
    n, positions = 777, np.random.default_rng(0).permutation(3000)
    whole = shuffled(np.arange(3000), n, 5)
    assert np.array_equal(shuffled(positions, n, 5), whole[positions])


def test_far_positions_of_a_large_corpus_are_in_range_and_distinct():
    n = 65_672_139
    found = shuffled(np.arange(10**6) + 40 * n, n, 3)
    assert found.min() >= 0
    assert found.max() < n
    assert len(np.unique(found)) == 10**6
    # The mean of a million draws without replacement: standard error n / sqrt(12 * 10^6).
    assert abs(found.mean() / n - 0.5) < 5 / np.sqrt(12e6)


@pytest.mark.parametrize("n", [5, 16, 37])
def test_every_place_and_every_pair_of_neighbors_is_as_likely_as_any_other(n):
    orders = np.stack([shuffled(np.arange(n) + e * n, n, 0) for e in range(4000)])
    # Pearson's statistic has mean n - 1 and variance 2 (n - 1) per place, about.
    for place in (0, n // 2, n - 1):
        counts = np.bincount(orders[:, place], minlength=n)
        chi = ((counts - 4000 / n) ** 2 / (4000 / n)).sum()
        assert chi < n - 1 + 5 * np.sqrt(2 * (n - 1))
    rises = (orders[:, 1] == (orders[:, 0] + 1) % n).mean()
    assert abs(rises - 1 / (n - 1)) < 5 * np.sqrt(1 / (n - 1) / 4000)


def test_random_words_are_uniform_and_differ_by_purpose():
    words = random_words(0, 1, np.arange(100_000))
    drawn = below(np.full(100_000, 7), words)
    assert np.abs(np.bincount(drawn, minlength=7) - 100_000 / 7).max() < 5 * np.sqrt(100_000 / 7)
    assert not np.intersect1d(words, random_words(0, 2, np.arange(100_000))).size
    assert below(np.ones(3, np.int64), words[:3]).tolist() == [0, 0, 0]


def test_nothing_cannot_be_shuffled():
    with pytest.raises(ValueError, match="has no records"):
        shuffled(np.arange(3), 0, 0)
