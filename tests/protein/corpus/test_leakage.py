import shutil

import numpy as np
import pytest

from ansatz.protein.corpus.corpus import Corpus
from ansatz.protein.corpus.journal import Preparing
from ansatz.protein.corpus.leakage import K, aligned, measure_leakage, sketch
from ansatz.protein.corpus.preparing import prepare


@pytest.fixture
def family(tmp_path):
    """Records 0 to 19 at random; 20 to 39 with 8 % of the residues changed; 40 to 44 as 0 to 4."""
    rng = np.random.default_rng(0)
    letters = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    first = [rng.choice(letters, 600) for _ in range(20)]
    near = [np.where(rng.random(600) < 0.08, rng.choice(letters, 600), s) for s in first]
    texts = ["".join(s) for s in [*first, *near, *first[:5]]]
    (tmp_path / "x").write_text("".join(f">r{i}\n{t}\n" for i, t in enumerate(texts)))
    prepare(tmp_path / "x", tmp_path / "c", Preparing(deduplicate=False, shard_tokens=5000))
    return Corpus(tmp_path / "c"), texts


def test_unrelated_sequences_share_nothing(family):
    corpus, _ = family
    found = measure_leakage(corpus, np.arange(10), np.arange(10, 20))
    assert found.copies == 0
    assert found.containment.max() < 0.05
    assert found.above(0.5) == 0.0


def test_copies_are_counted_among_all_records(family):
    corpus, _ = family
    found = measure_leakage(corpus, np.arange(40), np.arange(40, 45), sampled=2, against=3)
    assert (found.copies, found.held_out, found.sampled, found.against) == (5, 5, 2, 3)


def test_relatives_are_found_with_the_share_of_kmers_that_they_have(family):
    corpus, texts = family
    found = measure_leakage(corpus, np.arange(20), np.arange(20, 40))
    assert np.array_equal(found.nearest, found.records - 20)
    for record, share in zip(found.records, found.containment, strict=True):
        kmers = [{t[i : i + K] for i in range(594)} for t in (texts[record], texts[record - 20])]
        exact = len(kmers[0] & kmers[1]) / len(kmers[0])
        # A quarter of 594 k-mers, in runs of up to K that come and go together.
        assert abs(share - exact) < 5 * np.sqrt(0.25 / 148)
    assert found.above(0.7) == 1.0


def test_the_kmers_of_a_sketch_are_a_quarter_and_do_not_cross_records(family):
    corpus, texts = family
    words, owner = sketch(corpus, np.arange(20))
    every = sum(len({t[i : i + K] for i in range(594)}) for t in texts[:20])
    assert abs(len(words) - every / 4) < 5 * np.sqrt(every * 3 / 16)
    alone = [set(sketch(corpus, np.array([i]))[0].tolist()) for i in range(20)]
    assert all(set(words[owner == i].tolist()) == alone[i] for i in range(20))


def test_nothing_held_out_leaks_nothing(family):
    corpus, _ = family
    found = measure_leakage(corpus, np.arange(20), np.arange(0))
    assert (found.copies, found.sampled) == (0, 0)


@pytest.mark.skipif(shutil.which("mmseqs") is None, reason="MMseqs2 is not installed")
def test_mmseqs_aligns_relatives(family):
    corpus, _ = family
    assert aligned(corpus, np.arange(20), np.arange(20, 40)) == 20
    assert aligned(corpus, np.arange(10), np.arange(10, 20)) == 0
