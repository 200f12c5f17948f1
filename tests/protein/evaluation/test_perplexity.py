import numpy as np
import pytest
from scipy import stats
from torch import from_numpy
from torch.nn.functional import cross_entropy

from ansatz.protein.corpus.alphabet import MASK, encode
from ansatz.protein.corpus.masking import masked
from ansatz.protein.evaluation import perplexity as pp
from ansatz.protein.evaluation.perplexity import Guesses


def rows_of(nll, counts, correct):
    return np.array([nll, counts, correct], dtype=float).T


def test_a_guess_among_all_tokens_has_a_perplexity_of_33():
    found = pp.guesses(np.zeros((50, 33), np.float32), np.arange(50) % 20 + 4)
    rows = pp.tally(found, np.arange(50), np.array([0, 20, 50]))
    assert pp.perplexity(rows.sum(0)) == pytest.approx(33)


def test_guesses_are_the_cross_entropy_of_torch():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 30, (40, 33)), rng.integers(4, 24, 40)
    logits[:5, 7], labels[:5] = 200, 7
    found = pp.guesses(logits, labels)
    expected = cross_entropy(from_numpy(logits), from_numpy(labels), reduction="none")
    np.testing.assert_allclose(found.nll, expected.numpy(), atol=1e-12)
    assert found.correct[:5].all()
    assert found.correct.sum() == (logits.argmax(1) == labels).sum()


def test_a_tally_adds_up_what_lies_between_the_starts():
    found = Guesses(np.array([1.0, 2.0, 4.0, 8.0]), np.array([True, False, True, True]))
    rows = pp.tally(found, np.array([1, 2, 6, 9]), np.array([0, 4, 6, 10, 12]))
    np.testing.assert_array_equal(rows, [[3, 2, 1], [0, 0, 0], [12, 2, 2], [0, 0, 0]])


def test_tallies_of_two_masks_add_up_to_that_of_both():
    rng = np.random.default_rng(1)
    starts, places = np.array([0, 30, 50, 100]), np.sort(rng.permutation(100)[:40])
    nll, correct = rng.random(40), rng.random(40) < 0.5
    parts = [
        pp.tally(Guesses(nll[part], correct[part]), places[part], starts)
        for part in (slice(0, 40, 2), slice(1, 40, 2))
    ]
    np.testing.assert_allclose(sum(parts), pp.tally(Guesses(nll, correct), places, starts))


def test_residues_weigh_alike_and_records_do_not():
    rows = rows_of([np.log(2), 3 * np.log(4)], [1, 3], [1, 0])
    assert pp.perplexity(rows.mean(0)) == pytest.approx(2 ** (7 / 4))
    assert pp.accuracy(rows.mean(0)) == 0.25


def test_what_is_asked_is_always_hidden():
    tokens = np.tile(encode("MKTAYIAKQR"), 300)
    asked = masked(tokens, pp.ASKED, np.random.default_rng(0))
    assert (asked.tokens[asked.places] == MASK).all()
    assert (asked.tokens != tokens).sum() == len(asked.places)


def test_relatives_widen_the_interval_as_if_there_were_fewer_records():
    rng = np.random.default_rng(2)
    families = rng.normal(2.5, 0.3, 60)
    members = np.repeat(np.arange(60), 9)
    rows = rows_of(10 * families[members], np.full(540, 10), np.zeros(540))
    alone = pp.interval(rows, np.arange(540))
    together = pp.interval(rows, members)
    assert together.value == pytest.approx(alone.value) == pytest.approx(np.exp(families.mean()))
    # The logarithm of a perplexity is a mean here, with Student's interval.
    low, high = stats.t.interval(0.95, 59, families.mean(), families.std(ddof=1) / np.sqrt(60))
    np.testing.assert_allclose(np.log(together.ends), (low, high), atol=0.02)
    width = np.log(together.high / together.low) / np.log(alone.high / alone.low)
    assert width == pytest.approx(3, rel=0.1)


def test_clusters_of_which_nothing_was_asked_do_not_count():
    rows = rows_of([1.0, 0.0, 2.0, 0.0, 4.0], [1, 0, 1, 0, 2], [0, 0, 1, 0, 0])
    sums = pp.clustered(rows, np.array([7, 7, 3, 5, 7]))
    np.testing.assert_array_equal(sums, [[2, 1, 1], [5, 3, 0]])


def test_a_model_that_is_always_a_little_better_has_a_narrow_ratio():
    rng = np.random.default_rng(3)
    nll = rng.normal(300, 60, 200)
    rows = rows_of(nll, np.full(200, 100), np.zeros(200))
    better = rows - [10, 0, 0]
    ratio = pp.relative(better, rows, np.arange(200))
    assert ratio.value == pytest.approx(np.exp(-0.1))
    assert ratio.ends == pytest.approx((np.exp(-0.1), np.exp(-0.1)))
    each = pp.interval(rows, np.arange(200))
    assert each.high - each.low > 1


def test_groups_are_those_of_which_anything_was_asked():
    rows = rows_of([2.0, 9.0, 4.0, 0.0], [2, 3, 2, 0], [1, 3, 0, 0])
    labels = ["a", "b", "a", "none"]
    found = pp.groups(rows, np.arange(4), labels, resamples=50)
    assert [(g.name, g.records, g.residues, g.accuracy) for g in found] == [
        ("a", 2, 4, 0.25),
        ("b", 1, 3, 1.0),
    ]
    assert [g.perplexity.value for g in found] == pytest.approx([np.exp(1.5), np.exp(3)])
    assert np.isnan(found[1].perplexity.low)
    ordered = pp.groups(rows, np.arange(4), labels, ("none", "b", "a"), resamples=50)
    assert [g.name for g in ordered] == ["b", "a"]


def test_a_length_on_an_edge_belongs_to_the_longer_ones():
    labels, order = pp.length_kinds(np.array([127, 128, 255, 256, 1023, 1024, 9000]))
    assert order == ["below 128", "128 to 255", "256 to 511", "512 to 1023", "1024 or more"]
    assert labels == [order[i] for i in (0, 1, 1, 2, 3, 4, 4)]
