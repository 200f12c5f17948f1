import numpy as np

from ansatz.protein.corpus.duplicates import Seen, sequence_hashes


def test_the_hash_is_xxh3_128():
    # Of the empty input with seed 0, from the test vectors of xxHash 0.8.
    assert [f"{int(half):016x}" for half in sequence_hashes([b""])[0]] == [
        "99aa06d3014798d8",
        "6001c324468d497f",
    ]


def test_the_first_of_equals_is_new_and_all_others_are_not():
    rng = np.random.default_rng(0)
    sequences = [bytes(row) for row in rng.integers(4, 24, (20_000, 2), np.uint8)]
    known, expected = set(), []
    for sequence in sequences:
        expected.append(sequence not in known)
        known.add(sequence)

    seen = Seen(slots=8)  # grows while it is filled
    found = [seen.add(sequence_hashes(sequences[i : i + 777])) for i in range(0, 20_000, 777)]
    assert np.concatenate(found).tolist() == expected
    assert len(seen) == len(known)


def test_hashes_that_want_the_same_slot_are_told_apart():
    hashes = np.array(
        [[2**63, 1], [2**63, 2], [2**63 + 1, 1], [2**63, 2], [2**64 - 1, 7]], np.uint64
    )
    seen = Seen(slots=16)
    assert seen.add(hashes).tolist() == [True, True, True, False, True]
    assert not seen.add(hashes).any()
