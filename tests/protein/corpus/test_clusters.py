import gzip

import numpy as np
import pytest

from ansatz.protein.corpus.clusters import (
    draw_members,
    group,
    read_clusters,
    read_lines,
    write_clusters,
)
from ansatz.protein.corpus.order import random_words
from ansatz.protein.corpus.splits import id_hashes

TABLE = """rep50\trep90\tmember
A\tA\tA
A\tA\ta1
A\tB\tB
C\tC\tc1
D\tD\tD
D\tE\tE
D\tF\tF
D\tF\tnot-there
"""
RECORDS = ["E", "sp|A|NAME", "a1", "D", "lone", "B", "F", "c1", "C"]


@pytest.fixture
def clusters(tmp_path):
    path = tmp_path / "clusters.tsv.gz"
    path.write_bytes(gzip.compress(TABLE.encode()))
    return group(id_hashes(RECORDS), read_lines(path))


def rows(clusters):
    cut = np.split(clusters.members, clusters.starts[1:-1])
    return [sorted(RECORDS[i] for i in row) for row in cut]


def test_rows_hold_the_rep90s_of_each_rep50(clusters):
    # Numbered by their first records: D's has record 0, then A's, the lone one, C's. Of A's, a1 is
    # no rep90; C is not listed, but its id is that of a cluster.
    assert rows(clusters) == [["D", "E", "F"], ["B", "sp|A|NAME"], ["lone"], ["C"]]
    assert clusters.of_record.tolist() == [0, 1, 1, 0, 2, 1, 0, 3, 3]
    assert np.array_equal(clusters.representatives, id_hashes(["D", "A", "lone", "C"]))
    assert (clusters.unlisted, clusters.contradictions) == (2, 0)


def test_a_cluster_without_a_rep90_is_drawn_from_all_its_records(tmp_path):
    (tmp_path / "x").write_text("A A gone\nA A m1\nA A m2\n")
    found = group(id_hashes(["m1", "m2"]), read_lines(tmp_path / "x"))
    assert found.members.tolist() == [0, 1]


def test_two_columns_draw_every_member(tmp_path):
    (tmp_path / "x").write_text("A\tA\nA\ta1\nB\tB\nC\ta1\n")
    found = group(id_hashes(["A", "a1", "B"]), read_lines(tmp_path / "x"))
    assert found.starts.tolist() == [0, 2, 3]
    assert found.contradictions == 1


def test_members_of_a_cluster_are_equally_likely_whatever_its_size(clusters):
    drawn = clusters.draw(np.tile(np.arange(4), 30_000), random_words(0, 9, np.arange(120_000)))
    counts = np.bincount(drawn, minlength=9)
    for names, share in ((("D", "E", "F"), 1 / 3), (("sp|A|NAME", "B"), 1 / 2)):
        for name in names:
            deviation = np.sqrt(30_000 * share * (1 - share))
            assert abs(counts[RECORDS.index(name)] - 30_000 * share) < 5 * deviation
    assert counts[RECORDS.index("lone")] == 30_000
    assert counts[RECORDS.index("a1")] == 0


def test_an_epoch_visits_each_cluster_of_a_split_once(clusters):
    split = np.array([0, 1, 3])
    for epoch in range(5):
        drawn = draw_members(np.arange(3) + 3 * epoch, clusters, split, seed=1)
        assert sorted(clusters.of_record[drawn].tolist()) == [0, 1, 3]


def test_clusters_are_read_as_they_were_written(clusters, tmp_path):
    write_clusters(tmp_path, clusters)
    again = read_clusters(tmp_path)
    for name in ("starts", "members", "of_record", "representatives"):
        assert np.array_equal(getattr(again, name), getattr(clusters, name))
    assert len(again) == 4


@pytest.mark.parametrize("text", ["A\tA\tA\nB\tB\n", "A\nB\n", "A\tA\n\nB\tB\n", "a b c d\n"])
def test_a_line_with_other_columns_is_named(text, tmp_path):
    (tmp_path / "x.tsv").write_text(text)
    with pytest.raises(ValueError, match=r"x\.tsv, line [12]: expected two or three columns"):
        read_lines(tmp_path / "x.tsv")
