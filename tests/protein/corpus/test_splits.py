import numpy as np
import pytest

from ansatz.protein.corpus.clusters import group, read_lines
from ansatz.protein.corpus.splits import (
    SPLITS,
    Splitting,
    accession,
    id_hashes,
    read_split,
    split_numbers,
    write_splits,
)


def test_shares_are_those_asked_for():
    hashes = id_hashes([f"UniRef50_A{i}" for i in range(200_000)])
    numbers = split_numbers(hashes, Splitting(validation=20_000, test=100_000))
    found = np.bincount(numbers, minlength=3)
    for index, share in ((1, 0.02), (2, 0.1)):
        deviation = np.sqrt(200_000 * share * (1 - share))
        assert abs(found[index] - 200_000 * share) < 5 * deviation
    assert (split_numbers(hashes, Splitting(0, 0)) == 0).all()


def test_a_split_is_a_property_of_an_id_and_a_salt():
    names = [f"P{i:05}" for i in range(20_000)]
    splitting = Splitting(validation=300_000, test=300_000)
    whole = split_numbers(id_hashes(names), splitting)
    assert np.array_equal(split_numbers(id_hashes(names[7::3]), splitting), whole[7::3])
    other = split_numbers(id_hashes(names), Splitting(300_000, 300_000, salt="other"))
    # Independent splits of 0.4, 0.3 and 0.3 agree on 0.34.
    assert abs((whole == other).mean() - 0.34) < 5 * np.sqrt(0.34 * 0.66 / 20_000)


def test_a_uniprot_id_is_known_by_its_accession():
    assert accession("sp|O57809|NAME") == accession("tr|O57809") == "O57809"
    assert accession("UniRef50_A|B") == "UniRef50_A|B"
    assert id_hashes(["sp|O57809"])[0] == id_hashes(["O57809"])[0]


def test_homologues_never_straddle_splits(tmp_path):
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 3000, 10_000)
    path = tmp_path / "clusters.tsv"
    path.write_text("".join(f"C{c}\tM{i}\n" for i, c in enumerate(clusters)))
    grouped = group(id_hashes([f"M{i}" for i in range(10_000)]), read_lines(path))
    of_cluster = split_numbers(grouped.representatives, Splitting(200_000, 200_000))
    of_record = of_cluster[grouped.of_record]
    for cluster in range(3000):
        assert len(set(of_record[clusters == cluster].tolist())) <= 1
    assert set(of_record.tolist()) == {0, 1, 2}


def test_written_splits_hold_each_record_once(tmp_path):
    numbers = np.array([0, 2, 0, 0, 2], np.uint8)
    assert write_splits(tmp_path, numbers) == {"train": 3, "validation": 0, "test": 2}
    assert [read_split(tmp_path, name).tolist() for name in SPLITS] == [[0, 2, 3], [], [1, 4]]


def test_something_must_be_left_to_train_on():
    with pytest.raises(ValueError, match="nothing to train on"):
        Splitting(validation=500_000, test=500_000)
