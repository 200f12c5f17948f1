import gzip
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from ansatz.protein.corpus import preparing
from ansatz.protein.corpus.alphabet import decode, encode
from ansatz.protein.corpus.corpus import Corpus
from ansatz.protein.corpus.journal import JOURNAL, META, Preparing
from ansatz.protein.corpus.preparing import prepare
from ansatz.protein.corpus.shards import token_counts

SMALL = Preparing(shard_tokens=2000)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_corpus_holds_the_records_in_their_order(uniprot, records, tmp_path):
    meta = prepare(uniprot, tmp_path / "c", SMALL)
    corpus = Corpus(tmp_path / "c")
    assert len(corpus) == len(records) == meta["records"]
    assert len(meta["shards"]) > 3
    assert corpus.ids() == [name for name, _ in records]
    assert [decode(corpus[i]) for i in range(len(corpus))] == [text for _, text in records]
    assert corpus.lengths.tolist() == [len(text) for _, text in records]


def test_the_sums_are_those_of_the_text(uniprot, records, tmp_path):
    meta = prepare(uniprot, tmp_path / "c", SMALL)
    letters = "".join(text for _, text in records)
    assert meta["counts"] == {letter: letters.count(letter) for letter in set(letters)}
    assert meta["residues"] == len(letters)
    bins = np.bincount([len(text) // 25 for _, text in records], minlength=101)
    assert meta["length_histogram"] == bins.tolist()
    assert [sum(shard[k] for shard in meta["shards"]) for k in ("records", "residues")] == [
        len(records),
        len(letters),
    ]


def test_checksums_are_those_of_the_files(uniprot, tmp_path):
    xxhash = pytest.importorskip("xxhash")
    meta = prepare(uniprot, tmp_path / "c", SMALL)
    sums = {name: s for shard in meta["shards"] for name, s in shard["checksums"].items()}
    assert {META, *sums} == {path.name for path in (tmp_path / "c").iterdir()}
    for name, found in sums.items():
        assert xxhash.xxh3_128_hexdigest((tmp_path / "c" / name).read_bytes()) == found


def test_a_shard_is_closed_by_the_record_that_fills_it(random_fasta, tmp_path, read):
    text = random_fasta(200)
    (tmp_path / "x").write_bytes(text)
    meta = prepare(tmp_path / "x", tmp_path / "c", Preparing(shard_tokens=1000))
    expected, residues = [], 0
    for _, sequence in read(text):
        residues += len(sequence)
        if residues >= 1000:
            expected.append(residues)
            residues = 0
    expected += [residues] if residues else []
    assert [shard["residues"] for shard in meta["shards"]] == expected


def test_only_the_first_of_equal_sequences_stays(tmp_path):
    (tmp_path / "x").write_text(">a\nMKT\n>b\nMKV\n>c\nmk\nt*\n>d\nMKT\n>e\nMJ\n>f\nMK*T\n>g\nMJ\n")
    meta = prepare(tmp_path / "x", tmp_path / "c", Preparing(shard_tokens=4))
    assert Corpus(tmp_path / "c").ids() == ["a", "b", "e", "f"]
    assert meta["met"] == {
        "duplicates": 3,
        "too_short": 0,
        "too_long": 0,
        "empty": 0,
        "stops": 1,
        "unusual": {"*": 1, "J": 2},
    }
    prepare(tmp_path / "x", tmp_path / "all", Preparing(deduplicate=False))
    assert len(Corpus(tmp_path / "all")) == 7


def test_lengths_have_limits(tmp_path):
    (tmp_path / "x").write_text(">a\nMK\n>b\nMKV\n>c\nMKVL\n>d\nMKVLA\n>e\n>f\nMKV\n")
    options = Preparing(shortest=3, longest=4, skip_empty=True)
    meta = prepare(tmp_path / "x", tmp_path / "c", options)
    assert Corpus(tmp_path / "c").ids() == ["b", "c"]
    assert [meta["met"][k] for k in ("too_short", "too_long", "empty", "duplicates")] == [
        1,
        1,
        1,
        1,
    ]
    with pytest.raises(ValueError, match="line 9: a record without a sequence"):
        prepare(tmp_path / "x", tmp_path / "d")
    with pytest.raises(ValueError, match="none of its records is left"):
        prepare(tmp_path / "x", tmp_path / "e", Preparing(shortest=9, skip_empty=True))


def test_how_the_bytes_come_does_not_change_the_shards(random_fasta, tmp_path, monkeypatch):
    text = random_fasta(300)
    (tmp_path / "x").write_bytes(text)
    (tmp_path / "x.gz").write_bytes(gzip.compress(text))
    one = prepare(tmp_path / "x", tmp_path / "plain", SMALL)
    monkeypatch.setattr("ansatz.protein.corpus.compression.TEXT", 777)
    two = prepare(tmp_path / "x.gz", tmp_path / "packed", SMALL)
    assert one["shards"] == two["shards"]


# -------------------------------------------------------------------------------- interruptions
class Killed(BaseException):
    pass


@pytest.mark.parametrize("name", ["x", "x.gz"])
@pytest.mark.parametrize("shards", [1, 3, 8])
def test_a_run_that_was_stopped_is_finished_to_the_same_bytes(
    name, shards, random_fasta, tmp_path, monkeypatch
):
    text = random_fasta(150)
    text += random_fasta(150)[: len(text) // 2].rpartition(b"\n>")[0] + b"\n>z\nJJ*\n"
    (tmp_path / name).write_bytes(gzip.compress(text) if name == "x.gz" else text)
    whole = prepare(tmp_path / name, tmp_path / "whole", Preparing(shard_tokens=500))
    assert len(whole["shards"]) > 8
    assert whole["met"]["duplicates"] > 60

    real, written = preparing._commit, []

    def commit(*given):
        if len(written) == shards:
            raise Killed
        written.append(given[0])
        return real(*given)

    # Pieces of another size, so that no block begins where one began in the whole run.
    monkeypatch.setattr("ansatz.protein.corpus.reading.CHUNK", 901)
    monkeypatch.setattr("ansatz.protein.corpus.compression.TEXT", 701)
    monkeypatch.setattr(preparing, "_commit", commit)
    with pytest.raises(Killed):
        prepare(tmp_path / name, tmp_path / "c", Preparing(shard_tokens=500))
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "c").glob("*-*")}
    monkeypatch.undo()
    prepare(tmp_path / name, tmp_path / "c", Preparing(shard_tokens=500))

    assert contents(tmp_path / "c") == contents(tmp_path / "whole")
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "c").glob("*-*")}
    done = [name for name in before if int(name[name.index("-") + 1 :][:5]) < shards]
    assert len(done) == 4 * shards
    assert all(before[name] == after[name] for name in done)


RUN = """
import sys, time
from pathlib import Path
from ansatz.protein.corpus import preparing
real = preparing._commit
def slow(*given):
    done = real(*given)
    time.sleep(0.02)
    return done
preparing._commit = slow
preparing.prepare(sys.argv[1], Path(sys.argv[2]), preparing.Preparing(shard_tokens=1000))
"""


def test_killed_at_any_moment_it_ends_with_the_same_bytes(random_fasta, tmp_path):
    source, folder = tmp_path / "x.gz", tmp_path / "c"
    source.write_bytes(gzip.compress(random_fasta(600)))
    command = [sys.executable, "-c", RUN, str(source), str(folder)]
    kills = 0
    for shards in (0, 2, 5, 11):
        process = subprocess.Popen(command)
        while process.poll() is None and len(list(folder.glob("tokens-*"))) <= shards:
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 3
    prepare(source, folder, Preparing(shard_tokens=1000))
    prepare(source, tmp_path / "whole", Preparing(shard_tokens=1000))
    kept = {name: data for name, data in contents(folder).items() if not name.startswith(".")}
    assert kept == contents(tmp_path / "whole")


def test_a_finished_corpus_is_left_alone(uniprot, tmp_path):
    first = prepare(uniprot, tmp_path / "c", SMALL)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "c").iterdir()}
    assert prepare(uniprot, tmp_path / "c", SMALL) == first
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "c").iterdir()}


def test_another_source_or_other_options_need_another_folder(uniprot, tmp_path):
    prepare(uniprot, tmp_path / "c", SMALL)
    with pytest.raises(ValueError, match="begun with another options"):
        prepare(uniprot, tmp_path / "c")
    (tmp_path / "uniprotkb.fasta").write_bytes(uniprot.read_bytes().replace(b"M", b"L", 1))
    with pytest.raises(ValueError, match="begun with another head"):
        prepare(tmp_path / "uniprotkb.fasta", tmp_path / "c", SMALL)
    meta = json.loads((tmp_path / "c" / META).read_text())
    assert not (tmp_path / "c" / JOURNAL).exists()
    assert meta["job"]["origin"]["name"] == "uniprotkb.fasta"


def test_tokens_are_counted_one_by_one():
    for size in (0, 1, 2, 3, 1 << 18, (1 << 18) + 1):
        tokens = np.random.default_rng(size).integers(0, 33, size).astype(np.uint8)
        assert token_counts(tokens).tolist() == [(tokens == t).sum() for t in range(33)]
    assert token_counts(encode("LLA"))[4] == 2
