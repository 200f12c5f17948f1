import numpy as np
import pytest

from ansatz.protein.corpus.alphabet import CLS, EOS, FIRST_RESIDUE, MASK, RESIDUES, encode
from ansatz.protein.corpus.corpus import Corpus
from ansatz.protein.corpus.journal import Preparing
from ansatz.protein.corpus.masking import masked
from ansatz.protein.corpus.preparing import prepare
from ansatz.protein.evaluation import baselines
from ansatz.protein.evaluation.baselines import BIGRAM, NEIGHBORS, STRENGTH, UNIGRAM
from ansatz.protein.evaluation.perplexity import ASKED

LETTERS = "ACDEFGHIKLMNPQRSTVWY"


def flat(*sequences):
    parts = [np.concatenate(([CLS], encode(s), [EOS])) for s in sequences]
    return np.concatenate(parts).astype(np.uint8)


def index(letter):
    return RESIDUES.index(letter)


def token(letter):
    return index(letter) + FIRST_RESIDUE


def random_sequences(count, seed=0):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(LETTERS), rng.integers(3, 80))) for _ in range(count)]


def naive_counts(sequences):
    counts = {}
    for sequence in sequences:
        around = ["<cls>", *sequence, "<eos>"]
        for left, middle, right in zip(around, around[1:], around[2:], strict=False):
            counts[left, right, middle] = counts.get((left, right, middle), 0) + 1
    return counts


def test_counts_are_those_of_a_loop_over_letters():
    sequences = [*random_sequences(30), "X", "AXA", "BUZO"]
    counts = baselines.count(flat(*sequences))
    ends = {"<cls>": CLS, "<eos>": EOS}
    expected = naive_counts(sequences)
    assert counts.sum() == sum(map(len, sequences))
    for (left, right, middle), number in expected.items():
        place = [ends[x] if x in ends else token(x) for x in (left, right)]
        assert counts[place[0], place[1], index(middle)] == number
    assert (counts > 0).sum() == len(expected)


def test_unknown_letters_are_neighbors_and_are_never_asked():
    counts = baselines.count(flat("AJC"))
    assert counts.sum() == 2
    assert counts[CLS, :, index("A")].sum() == counts[:, EOS, index("C")].sum() == 1


def test_counts_of_halves_of_a_corpus_add_up(tmp_path, monkeypatch):
    monkeypatch.setattr(baselines, "AT_A_TIME", 7)
    sequences = random_sequences(40)
    text = "".join(f">r{i}\n{s}\n" for i, s in enumerate(sequences))
    (tmp_path / "x.fasta").write_text(text)
    prepare(tmp_path / "x.fasta", tmp_path / "c", Preparing(deduplicate=False, shard_tokens=300))
    corpus = Corpus(tmp_path / "c")
    parts = [baselines.count_neighbors(corpus, np.arange(a, b)) for a, b in ((0, 13), (13, 40))]
    np.testing.assert_array_equal(sum(parts), baselines.count(flat(*sequences)))


def test_probabilities_sum_to_one_between_any_neighbors():
    tables = baselines.tables(baselines.count(flat(*random_sequences(50))))
    assert list(tables) == [UNIGRAM, BIGRAM, NEIGHBORS]
    for table in tables.values():
        assert table.shape == (33, 33, 27)
        np.testing.assert_allclose(np.exp(table).sum(-1), 1)


def test_smoothed_frequencies_are_their_formulas():
    tables = baselines.tables(baselines.count(flat("AC", "AC", "AD")))
    a, c, d = (index(x) for x in "ACD")
    alone = {x: (n + 1) / (6 + 27) for x, n in ((a, 3), (c, 2), (d, 1))}
    after_a = (2 + STRENGTH * alone[c]) / (3 + STRENGTH)
    assert np.exp(tables[UNIGRAM][5, 9, c]) == pytest.approx(alone[c])
    assert np.exp(tables[BIGRAM][token("A"), 9, c]) == pytest.approx(after_a)
    first = np.exp(tables[BIGRAM][CLS, 9, a])
    assert first == pytest.approx((3 + STRENGTH * alone[a]) / (3 + STRENGTH))


def test_a_masked_neighbor_is_left_out():
    tables = baselines.tables(baselines.count(flat(*random_sequences(50))))
    both, bigram, unigram = (tables[name] for name in (NEIGHBORS, BIGRAM, UNIGRAM))
    a = token("A")
    np.testing.assert_allclose(both[MASK, MASK], unigram[0, 0])
    np.testing.assert_allclose(bigram[MASK, a], unigram[0, 0])
    np.testing.assert_allclose(both[a, MASK], bigram[a, 0])


def test_a_long_alternation_is_known_from_its_neighbors_and_not_from_one_of_them():
    # x stands between l and r = l if x is C, between different ones if it is D.
    rng = np.random.default_rng(0)
    sides = rng.integers(0, 2, 20_000)
    letters = "GL"
    words = [letters[a] + ("C" if a == b else "D") + letters[b] for a, b in zip(sides, sides[::-1], strict=True)]  # fmt: skip  # noqa: E501
    tables = baselines.tables(baselines.count(flat(*words)))
    tokens = flat(*words[:500])
    places = np.arange(2, len(tokens), 5)
    found = {n: baselines.look_up(t, tokens, places, tokens[places]) for n, t in tables.items()}
    assert found[NEIGHBORS].correct.all()
    assert found[NEIGHBORS].nll.max() < 0.1
    # One of them leaves a toss between C and D.
    assert np.exp(found[BIGRAM].nll.mean()) == pytest.approx(2, abs=0.1)


def test_looking_up_is_a_loop_over_places():
    sequences = random_sequences(20, seed=4)
    tokens = flat(*sequences)
    tables = baselines.tables(baselines.count(flat(*random_sequences(50))))
    asked = masked(tokens, ASKED, np.random.default_rng(1))
    found = baselines.look_up(tables[NEIGHBORS], asked.tokens, asked.places, asked.labels)
    for i, place in enumerate(asked.places.tolist()):
        p = tables[NEIGHBORS][asked.tokens[place - 1], asked.tokens[place + 1]]
        assert found.nll[i] == -p[tokens[place] - FIRST_RESIDUE]
        assert found.correct[i] == (p.argmax() == tokens[place] - FIRST_RESIDUE)


def test_real_proteins_have_the_perplexities_that_were_measured_before(shared, tmp_path):
    """From an independent script: fit and asked on all residues, bigrams without the first one."""
    prepare(shared / "uniref90_sample.fasta.gz", tmp_path / "c", Preparing(deduplicate=False))
    corpus = Corpus(tmp_path / "c")
    everything = np.arange(len(corpus))
    tables = baselines.tables(baselines.count_neighbors(corpus, everything))
    tokens = corpus.gather(corpus.places(everything))
    places = np.flatnonzero(tokens >= FIRST_RESIDUE)
    inner = places[tokens[places - 1] >= FIRST_RESIDUE]
    for name, where, expected in ((UNIGRAM, places, 17.66), (BIGRAM, inner, 17.49)):
        nll = baselines.look_up(tables[name], tokens, where, tokens[where]).nll
        assert np.exp(nll.mean()) == pytest.approx(expected, abs=0.005)
