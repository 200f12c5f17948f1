"""The compiled loops against the reader for everything; where numba is missing, as plain Python."""

from dataclasses import astuple
from importlib.util import find_spec

import numpy as np
import pytest

from ansatz.protein.corpus import preparing
from ansatz.protein.corpus.fasta import read_blocks
from ansatz.protein.corpus.journal import JOURNAL, Preparing
from ansatz.protein.corpus.kernels import END, Kernels, count_loop, kernels, parse_loop
from ansatz.protein.corpus.preparing import prepare

INTERPRETED = Kernels(parse_loop, count_loop)
HEADERS = [
    b">a\nMK\n",
    b">UniRef50_A0A x n=1 Tax=B c. TaxID=9 RepID=A0A_9TELE\nMKT\nAYI\n",
    b">a RepID=\nMK\n",
    b">a RepID= \t\x0b X y\nMK\n",
    b">a RepID=X RepID=Y z\nMK\n",
    b">a\tRepID=X\nMK\n",
    b">RepID=X\nMK\n",
    b">D=\nMK\n",
    b">ID= pID= epID= RepID=\nMK\n",
    b">a  RepID=\x00X\xff=\nMK\n",
    b">a>b\x00\x1f RepID==>\nMK\n",
]
LAYOUTS = [
    b">a one\r\nMKT\r\nAYI\r\n",
    b">a\n\n \n\tMK T\x0b\x0cA\n\n\n",
    b">a\nM\nK\nT\n",
    b">a\nmktxbzuo.-\n",
    b">a\nMK",
    b">a \nMK \n \n",
]
ODD = [
    b">a\nMKJ\n",
    b">a\nMK*\n",
    b">a\nM*K\n",
    b">a\n\n",
    b">a\n*\n",
    b">a\n",
    b">a",
    b">\nMK\n",
    b"> a\nMK\n",
    b">a\nMK>b\nMK\n",
    b">a\nMK1\n",
    b">a\nM\x00K\n",
    b">a\nM\xffK\n",
    b">a\nMK\n>",
]


@pytest.fixture(params=["interpreted", "compiled"])
def loops(request):
    if request.param == "interpreted":
        return INTERPRETED
    pytest.importorskip("numba")
    return kernels()


def outcome(text, size, **given):
    """What is in the blocks of a text, or the error."""
    pieces = iter([text[i : i + size] for i in range(0, len(text), size)])
    try:
        return [
            (*astuple(block)[:2], block.offsets.tolist(), block.names, block.stops, block.unusual)
            for block in read_blocks(pieces, "x.fasta", **given)
        ]
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("text", HEADERS + LAYOUTS)
def test_ordinary_text_goes_through_the_loops(loops, text):
    found = loops.parse(b"\n" + text + END)
    ((_, tokens, offsets, names, *_),) = outcome(text, 1000)
    assert (found[0], found[1].tolist(), found[2]) == (tokens, offsets, names)
    assert found[3] == 1 + text.count(b"\n")


@pytest.mark.parametrize("text", ODD)
def test_text_that_is_not_ordinary_is_given_up(loops, text):
    assert loops.parse(b"\n" + text + END) is None
    assert loops.parse(b"\n>a\nMK\n" + text + b"\n>b\nMK\n" + END) is None


@pytest.mark.parametrize("size", [1, 5, 61, 1000])
@pytest.mark.parametrize("allow_empty", [False, True])
def test_blocks_places_and_errors_are_those_of_the_reader_for_everything(loops, size, allow_empty):
    rng = np.random.default_rng(size)
    ordinary = HEADERS + LAYOUTS
    for _ in range(40):
        chosen = [ordinary[i] for i in rng.integers(len(ordinary), size=6)]
        chosen.insert(int(rng.integers(7)), ODD[int(rng.integers(len(ODD)))])
        text = b"".join(part.rstrip(b"\n") + b"\n" for part in chosen)
        plain = outcome(text, size, allow_empty=allow_empty)
        assert outcome(text, size, allow_empty=allow_empty, kernels=loops) == plain


def test_tokens_are_counted_one_by_one(loops):
    for size in (0, 1, 3, 4, 1001):
        tokens = np.random.default_rng(size).integers(0, 33, size).astype(np.uint8)
        assert loops.count(tokens).tolist() == [(tokens == t).sum() for t in range(33)]


class Killed(BaseException):
    pass


def test_shards_journal_and_sums_are_the_same_bytes(loops, random_fasta, tmp_path, monkeypatch):
    text = random_fasta(80)
    text += random_fasta(80)[: len(text) // 2].rpartition(b"\n>")[0] + b"\n>z\nMJJ*\n"
    (tmp_path / "x").write_bytes(text + random_fasta(40, seed=1))
    monkeypatch.setattr("ansatz.protein.corpus.reading.CHUNK", 701)
    real, taken = preparing._commit, []

    def folder(name, stop=99):
        left = iter(range(stop))

        def commit(*given):
            if next(left, None) is None:
                raise Killed
            return real(*given)

        monkeypatch.setattr(preparing, "_commit", commit)
        try:
            prepare(tmp_path / "x", tmp_path / name, Preparing(shard_tokens=900))
        except Killed:
            assert (tmp_path / name / JOURNAL).exists()
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}

    def use(loops):
        monkeypatch.setattr(preparing, "LONG_TEXT", 0)
        monkeypatch.setattr(preparing, "kernels", lambda: taken.append(1) or loops)

    use(None)
    stopped, whole = folder("plain", 4), folder("plain whole")
    use(loops)
    assert folder("looped", 4) == stopped
    assert folder("looped") == whole  # taken up by the other
    use(None)
    assert folder("plain") == whole
    assert len(taken) == 5


def test_only_long_texts_load_the_loops(uniprot, tmp_path, monkeypatch):
    monkeypatch.setattr(preparing, "kernels", lambda: pytest.fail("not worth it"))
    prepare(uniprot, tmp_path / "c", Preparing())


def test_without_numba_there_are_no_loops():
    assert (kernels() is not None) == bool(find_spec("numba"))
