"""A long file is cut into parts: together they are the whole, and a rerun goes on between them."""

import gzip
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zstandard

from ansatz.engine.batch import predict_all, request_digest
from ansatz.protein import records, request
from ansatz.protein.records import Texts, cut
from ansatz.protein.request import Question, parts

WRITERS = {
    "plain": lambda data: data,
    "gz": gzip.compress,
    "zst": zstandard.ZstdCompressor().compress,
}


def drawn(count=60, seed=0):
    """Records with lengths of all sizes, one of them long."""
    rng = random.Random(seed)
    lengths = [rng.randrange(1, 40) for _ in range(count)]
    lengths[count // 2] = 300
    return {
        f"p{i}": "".join(rng.choices("ACDEFGHIKLMNPQRSTVWYJ", k=n)) for i, n in enumerate(lengths)
    }


def text_of(sequences, width=17):
    lines = []
    for name, sequence in sequences.items():
        lines += [f">{name} protein"]
        lines += [sequence[i : i + width] for i in range(0, len(sequence), width)]
    return ("\n".join(lines) + "\n").encode()


@pytest.fixture
def small(monkeypatch):
    """Parts of 100 tokens, and texts that come in pieces of 64 bytes."""
    monkeypatch.setattr(request, "PER_SEQUENCE", 100)
    monkeypatch.setattr(request, "PER_RESIDUE", 100)
    monkeypatch.setattr("ansatz.protein.corpus.reading.CHUNK", 64)
    monkeypatch.setattr("ansatz.protein.corpus.compression.TEXT", 64)


@pytest.fixture(params=WRITERS)
def file(request, tmp_path):
    path = tmp_path / f"proteins.{request.param}"
    path.write_bytes(WRITERS[request.param](text_of(drawn())))
    return path


def test_parts_are_as_large_as_they_may_be_and_hold_every_record_once(small, file):
    lengths = [len(s) for s in drawn().values()]
    found = list(cut(file, 100))
    assert [p.first for p in found] == [0, *np.cumsum([p.count for p in found])[:-1].tolist()]
    sizes = [sum(n + 2 for n in lengths[p.first : p.first + p.count]) for p in found]
    assert sum(p.count for p in found) == len(lengths)
    assert all(size <= 100 or p.count == 1 for size, p in zip(sizes, found, strict=True))
    for size, part in zip(sizes, found[1:], strict=False):
        assert size + lengths[part.first] + 2 > 100  # the next record had no room
    assert 302 in sizes


@pytest.mark.parametrize("size", [1, 40, 302, 10**9])
def test_any_size_of_parts_gives_back_the_records(small, file, size):
    texts = Texts()
    read = [texts.read(part) for part in cut(file, size)]
    ids = [name for r in read for name in r.ids]
    tokens = np.concatenate([s for r in read for s in r.sequences])
    whole = Texts().read(file)
    assert ids == list(whole.ids) == list(drawn())
    assert np.array_equal(tokens, np.concatenate(whole.sequences))
    assert len(read) == (len(ids) if size == 1 else len(list(cut(file, size))))


def test_parts_may_be_read_in_any_order(small, file, monkeypatch):
    monkeypatch.setattr(records, "KEPT", 500)
    found = list(cut(file, 100))
    expected = [Texts().read(p).ids for p in found]
    order = list(range(len(found)))
    for seed in range(3):
        random.Random(seed).shuffle(order)
        texts = Texts()
        assert [texts.read(found[i]).ids for i in order] == [expected[i] for i in order]


def test_a_compressed_file_is_read_once_for_parts_that_are_nearly_in_order(
    small, tmp_path, monkeypatch
):
    path = tmp_path / "proteins.fasta.gz"
    path.write_bytes(gzip.compress(text_of(drawn())))
    found = list(cut(path, 100))
    opened = []
    plain = records._text
    monkeypatch.setattr(records, "_text", lambda p: opened.append(p) or plain(p))
    texts = Texts()
    for i in range(0, len(found), 2):
        for index in (i + 1, i):  # each pair the wrong way round
            if index < len(found):
                texts.read(found[index])
    assert opened == [path]


@pytest.mark.parametrize("embeddings", ["mean", "cls", "residue"])
def test_answers_to_the_parts_are_the_answer_to_the_whole(ask, small, file, embeddings):
    question = Question(file, embeddings=embeddings, probabilities=True)
    whole = ask(question)
    several = [ask(part) for _, part in parts(question)]
    assert len(several) > 10
    assert [name for a in several for name in a.ids] == list(whole.ids)
    # Products with other numbers of rows may sum in another order; nothing else differs.
    for field in ("embeddings", "log_probabilities"):
        joined = np.concatenate([getattr(a, field) for a in several])
        np.testing.assert_allclose(joined, getattr(whole, field), rtol=0, atol=1e-5)
    assert sum(a.unknown for a in several) == whole.unknown > 0


def test_parts_have_names_in_their_order_and_a_short_file_has_one(small, file, tmp_path):
    names = [name for name, _ in parts(Question(file))]
    assert names[:2] == ["-00000", "-00001"]
    assert names == sorted(names)
    short = tmp_path / "short.fasta"
    short.write_text(">a\nMK\n")
    ((name, question),) = parts(Question(short))
    assert (name, question.sequences.count) == ("", 1)
    assert list(parts(Question("MK,GG"))) == [("", Question("MK,GG"))]
    table = Question(short, mutations=tmp_path / "scan.csv")
    assert list(parts(table)) == [("", table)]


def test_residues_are_cut_finer_than_proteins(tmp_path):
    path = tmp_path / "many.fasta"
    path.write_bytes(text_of({f"p{i}": "ACDEFGHIKL" * 100 for i in range(600)}, 10_000))
    assert len(list(parts(Question(path)))) == 1
    assert len(list(parts(Question(path, embeddings="residue")))) == 3


def test_the_digest_of_a_part_is_that_of_its_own_records(small, tmp_path):
    path, sequences = tmp_path / "a.fasta", drawn()
    path.write_bytes(text_of(sequences))
    before = [request_digest(q, "") for _, q in parts(Question(path))]
    assert len(set(before)) == len(before)
    path.write_bytes(text_of(sequences | {"p59": "MKT" + sequences["p59"]}))
    after = [request_digest(q, "") for _, q in parts(Question(path))]
    assert before[:-1] == after[: len(before) - 1]
    assert before[-1] != after[-1]


def test_a_file_that_changes_while_it_is_answered_is_noticed(small, tmp_path):
    path = tmp_path / "a.fasta"
    path.write_bytes(text_of(drawn()))
    found = list(cut(path, 100))
    path.write_bytes(text_of(drawn()).replace(b"A", b"C", 1))
    texts = Texts()
    with pytest.raises(ValueError, match="was changed while it was being answered"):
        texts.read(found[0])
    assert texts.read(found[1]).ids


KILLED = """
import os, signal, sys
from pathlib import Path
from ansatz.engine.batch import predict_all
from ansatz.protein import request
from ansatz.protein.predictor import Proteins, load_proteins
request.PER_SEQUENCE = 100
model, path, out = load_proteins(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
count = 0
class Dying(Proteins):
    def forward(self, tensors):
        global count
        count += 1
        if count == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(tensors)
asked = {"p" + name: q for name, q in request.parts(request.Question(path))}
list(predict_all(Dying(model.network), asked, out, workers=2))
"""


def test_a_killed_run_goes_on_with_the_parts_that_are_missing(
    small, proteins, checkpoint, tmp_path
):
    path = tmp_path / "a.fasta.gz"
    path.write_bytes(gzip.compress(text_of(drawn())))
    asked = {f"p{name}": question for name, question in parts(Question(path))}
    words = [sys.executable, "-c", KILLED, str(checkpoint), str(path), str(tmp_path / "killed")]
    (tmp_path / "killed").mkdir()
    assert subprocess.run(words, check=False).returncode == -9

    again = list(predict_all(proteins, asked, tmp_path / "killed", workers=2))
    kept = [item.name for item in again if not item.is_new]
    assert 1 <= len(kept) <= 3
    assert len(again) == len(asked) > 10
    once = list(predict_all(proteins, asked, tmp_path / "once", workers=2))
    assert [(i.name, i.row) for i in again] == [(i.name, i.row) for i in once]
    for name in asked:
        with (
            np.load(tmp_path / f"killed/{name}.npz") as a,
            np.load(tmp_path / f"once/{name}.npz") as b,
        ):
            assert a["ids"].tolist() == b["ids"].tolist()
            assert np.array_equal(a["embeddings"], b["embeddings"])
    assert not [p for p in Path(tmp_path / "once").iterdir() if p.name.startswith(".")]
