import numpy as np
import pytest

from ansatz.protein.corpus.alphabet import CLS, EOS, PAD
from ansatz.protein.corpus.corpus import Corpus
from ansatz.protein.corpus.packing import (
    Packing,
    fitting,
    pack,
    pack_positions,
    padded,
    water_level,
)


def sequences(packed):
    return np.split(packed.tokens, packed.starts[1:-1])


def test_without_limits_a_pack_holds_whole_records_between_cls_and_eos(corpus):
    records = np.array([3, 39, 0, 3, 17])
    packed = pack(corpus, records, np.arange(5), Packing(5, longest=10**6), seed=0)
    for tokens, record in zip(sequences(packed), records, strict=True):
        assert tokens.tolist() == [CLS, *corpus[record].tolist(), EOS]
    assert packed.places.tolist() == [i for t in sequences(packed) for i in range(len(t))]
    assert packed.uncropped == len(packed.tokens) == packed.starts[-1]
    assert packed.starts.dtype == np.int32


def test_every_window_of_a_long_record_is_as_likely_as_any_other(corpus):
    record = int(np.argmax(corpus.lengths))
    whole = corpus[record].tobytes()
    longest = len(whole) - 3
    count = 4000
    packed = pack(
        corpus, np.full(count, record), np.arange(count), Packing(count, longest=longest), seed=0
    )
    begins = [whole.index(tokens[1:-1].tobytes()) for tokens in sequences(packed)]
    assert all(len(tokens) == longest for tokens in sequences(packed))
    windows = len(whole) - (longest - 2) + 1
    counts = np.bincount(begins, minlength=windows)
    assert np.abs(counts - count / windows).max() < 5 * np.sqrt(count / windows)


@pytest.mark.parametrize("budget", [120, 1000, 3000, 4000])
def test_a_pack_fills_its_budget_by_cropping_its_longest_records_only(corpus, budget):
    packed = pack(corpus, np.arange(40), np.arange(40), Packing(40, 512, budget), seed=0)
    lengths = np.diff(packed.starts)
    wanted = np.minimum(corpus.lengths + 2, 512)
    assert len(packed.tokens) == budget < wanted.sum()
    cropped = lengths < wanted
    assert cropped.any()
    assert np.array_equal(lengths[~cropped], wanted[~cropped])
    assert lengths[cropped].max() - lengths[cropped].min() <= 1
    assert lengths[~cropped].max(initial=0) <= lengths[cropped].max()
    for tokens, record in zip(sequences(packed), packed.records, strict=True):
        assert (tokens[0], tokens[-1]) == (CLS, EOS)
        assert tokens[1:-1].tobytes() in corpus[record].tobytes()


def test_a_budget_that_is_not_reached_crops_nothing(corpus):
    packed = pack(corpus, np.arange(5), np.arange(5), Packing(5, 10**6, 10**5), seed=0)
    assert len(packed.tokens) == corpus.lengths[:5].sum() + 10
    full = padded(packed, 10**5)
    assert len(full.tokens) == full.starts[-1] == 10**5
    assert (full.tokens[packed.starts[-1] :] == PAD).all()
    assert len(full.starts) == 7


def test_the_water_level_is_the_largest_that_fits():
    rng = np.random.default_rng(0)
    for _ in range(200):
        lengths = rng.integers(3, 50, rng.integers(1, 20))
        budget = int(rng.integers(3 * len(lengths), lengths.sum() + 1))
        if lengths.sum() <= budget:
            continue
        level = water_level(lengths, budget)
        assert np.minimum(lengths, level).sum() <= budget < np.minimum(lengths, level + 1).sum()


def test_a_step_is_the_same_set_for_any_number_of_processes(corpus):
    packing = Packing(4, 64, 200)

    def packs(processes, per_process, step):
        """What all processes together see in a step of 12 packs."""
        numbers = range(step * processes * per_process, (step + 1) * processes * per_process)
        for number in numbers:
            positions = pack_positions(number, packing)
            yield pack(corpus, positions % 40, positions, packing, seed=1).tokens.tobytes()

    one = list(packs(1, 12, 3))
    assert one == list(packs(4, 3, 3)) == list(packs(6, 2, 3))
    assert len(set(one)) > 1


def test_the_fitting_packing_has_the_budget_as_its_mean(corpus):
    packing = fitting(corpus.lengths, budget=5000, longest=256)
    mean = np.minimum(corpus.lengths + 2, 256).mean()
    assert abs(packing.sequences * mean - 5000) <= mean / 2


def test_a_budget_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="at least 30"):
        Packing(10, 512, 29)


def test_an_unfinished_corpus_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no finished corpus"):
        Corpus(tmp_path)
