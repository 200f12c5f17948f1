r"""Records of a FASTA text that one asks about, and the parts that a long text is cut into.

A part is a range of consecutive records that is small enough to be read, answered and written at a
time. Cutting is one pass over the text, which finds every fault before anything is computed; a part
remembers where its first record stands, and a digest of what it holds:

    cut(path, tokens) -> Part, Part, ...        Texts().read(part) -> Records

A plain file is opened at that place. In a compressed one nobody can jump: it is read once from
beginning to end, as long as parts are asked for nearly in their order.
"""

import hashlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from ansatz.protein.corpus.alphabet import MASK, TOKENS, UNK, encode
from ansatz.protein.corpus.fasta import Block, Place, read_blocks
from ansatz.protein.corpus.packing import SPECIAL
from ansatz.protein.corpus.reading import open_text

LONGEST = 100_000  # residues; the longest protein known, PKZILLA-1, has 45,212
MOST = 65_536  # records of a part
KEPT = 32 << 20  # bytes of a compressed text that are remembered: more than parts in progress have
FILES = (".fasta", ".fa", ".faa", ".fas", ".pep", ".txt", ".csv", ".gz", ".zst")
_MASK = TOKENS[MASK]
_END = b"\xff"  # of a record, where digests are taken: no token


@dataclass(frozen=True)
class Records:
    """Sequences by name.

    Attributes:
        source: What they were read from, for errors.
        ids: First words of the headers.
        sequences: Tokens of each, one per residue.
    """

    source: str
    ids: tuple[str, ...]
    sequences: tuple[NDArray[np.uint8], ...]

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Residues of each, shape (records,)."""
        return np.array([len(s) for s in self.sequences], np.int64)

    @property
    def unknown(self) -> int:
        """Letters that no token stands for: J, and stops inside of a sequence."""
        return sum(int(np.count_nonzero(s == UNK)) for s in self.sequences)


@dataclass(frozen=True)
class Part:
    """Consecutive records of a file.

    Attributes:
        path: Of the file; as text, so that whoever takes a digest of a question reads no file.
        place: Before the first record, at the beginning of another one.
        first: Number of the first record in the file.
        count: Records.
        sha256: Of what they hold.
    """

    path: str
    place: Place
    first: int
    count: int
    sha256: str


# -------------------------------------------------------------------------------------- texts
def typed(text: str) -> Records:
    """Sequences written in one line, with commas between them; `<mask>` is a place to guess.

    Raises:
        ValueError: If one is empty, holds something that is no residue, or the text is the name of
            a file that is not there.
    """
    if text.lower().strip().endswith(FILES):
        raise ValueError(f"there is no file {text}: expected FASTA, or a sequence as text")
    pieces = text.split(",")
    ids = tuple(f"sequence_{number}" for number in range(1, len(pieces) + 1))
    found = []
    for name, piece in zip(ids, pieces, strict=True):
        try:
            tokens = [encode(plain) for plain in piece.split(_MASK)]
        except ValueError as error:
            raise ValueError(f"{name}: {error}. A place to guess is written {_MASK}") from None
        gap = np.array([MASK], np.uint8)
        found.append(np.concatenate([tokens[0], *(t for p in tokens[1:] for t in (gap, p))]))
    for name, sequence in zip(ids, found, strict=True):
        _require_length(name, len(sequence))
    return Records("the text", ids, tuple(found))


def cut(path: Path, tokens: int) -> Iterator[Part]:
    """Cut a file into parts.

    Args:
        path: FASTA, plain or compressed.
        tokens: Of a part at most, <cls> and <eos> counted; a longer record is a part of its own.

    Yields:
        Parts, in the order of the file.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no FASTA, or holds a record that is empty or longer than any protein.
    """
    growing = _Growing(path)
    with open_text(path) as text:
        for block in read_blocks(text.chunks, path.name, allow_empty=True):
            _require_lengths(block, path.name)
            ends = np.concatenate(([0], np.cumsum(block.lengths + SPECIAL)))
            begin = 0
            while begin < len(block):
                room = int(ends[begin]) + tokens - growing.tokens
                end = int(np.searchsorted(ends, room, "right")) - 1
                end = min(max(end, begin + (not growing.count)), begin + MOST - growing.count)
                growing.add(block, begin, end, int(ends[end] - ends[begin]))
                if end < len(block):
                    yield growing.part()
                    growing = _Growing(path)
                begin = end
    yield growing.part()


class _Growing:
    """A part while records are added to it."""

    def __init__(self, path: Path) -> None:
        self.path, self.place, self.first = path, Place(), 0
        self.count = self.tokens = 0
        self._digest = hashlib.sha256()

    def add(self, block: Block, begin: int, end: int, tokens: int) -> None:
        if not self.count:
            self.place, self.first = block.start, block.start.record + begin
        self.count += end - begin
        self.tokens += tokens
        self._digest.update(_bytes(block, begin, end))

    def part(self) -> Part:
        digest = self._digest.hexdigest()
        return Part(str(self.path), self.place, self.first, self.count, digest)


def _bytes(block: Block, begin: int, end: int) -> bytes:
    """What records hold; joined, the same however they are spread over blocks."""
    pairs = zip(block.ids[begin:end], block.sequences[begin:end], strict=True)
    return b"".join([b"%b\n%b%b" % (name, sequence, _END) for name, sequence in pairs])


def _require_lengths(block: Block, source: str) -> None:
    """Refuse records that are empty, or longer than any protein."""
    odd = np.flatnonzero((block.lengths == 0) | (block.lengths > LONGEST))
    if len(odd):
        index = int(odd[0])
        number = block.start.record + index + 1
        name = block.ids[index].decode(errors="replace")
        _require_length(f"{source}, record {number} ({name})", int(block.lengths[index]))


def _require_length(what: str, length: int) -> None:
    if not length:
        raise ValueError(f"{what} has no residues: give it a sequence, or take it out")
    if length > LONGEST:
        raise ValueError(
            f"{what} has {length:,} residues, and no protein has more than {LONGEST:,}: is it a "
            "genome? Translate its genes first, or take it out"
        )


# ------------------------------------------------------------------------------------ reading
class Texts:
    """Reads parts. Of a compressed file it keeps the place where it stands, and what was last."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: tuple[Path, _Forward] | None = None

    def read(self, asked: Path | Part) -> Records:
        """The records of a part, or of a whole file.

        Raises:
            OSError: If the file cannot be read.
            ValueError: As `cut`; or if the file is not what it was when it was cut.
        """
        if isinstance(asked, Path):
            with open_text(asked) as text:
                return _records(text.chunks, asked.name)[0]
        path = Path(asked.path)
        with self._lock:  # several threads read
            found, digest = _records(self._chunks(path, asked.place.byte), path.name, asked)
        if digest != asked.sha256:
            raise ValueError(
                f"{path} was changed while it was being answered: run the same command again"
            )
        return found

    def _chunks(self, path: Path, byte: int) -> Iterator[bytes]:
        if self._open is None or self._open[0] != path or self._open[1].begin > byte:
            with open_text(path) as text:
                if text.path is not None:
                    yield from text.after(byte)
                    return
            self._open = path, _Forward(path)
        yield from self._open[1].after(byte)


class _Forward:
    """The text of a file from its beginning on, of which the last bytes are remembered."""

    def __init__(self, path: Path) -> None:
        self._fresh = _text(path)
        self._kept: deque[bytes] = deque()
        self.begin = self._end = 0  # of what is remembered

    def after(self, byte: int) -> Iterator[bytes]:
        """The text from a byte on that is not before `begin`."""
        at = self.begin
        for chunk in list(self._kept):
            if at + len(chunk) > byte:
                yield chunk[max(0, byte - at) :]
            at += len(chunk)
        for chunk in self._fresh:
            self._remember(chunk)
            if self._end > byte:
                yield chunk[max(0, byte - self._end + len(chunk)) :]

    def _remember(self, chunk: bytes) -> None:
        self._kept.append(chunk)
        self._end += len(chunk)
        while self._end - self.begin > KEPT:
            self.begin += len(self._kept.popleft())


def _text(path: Path) -> Iterator[bytes]:
    with open_text(path) as text:
        yield from text.chunks


def _records(chunks: Iterator[bytes], source: str, part: Part | None = None) -> tuple[Records, str]:
    """The records of a text, or of a part where the text begins at its place; and their digest."""
    place = part.place if part else Place()
    first, last = (part.first, part.first + part.count) if part else (0, None)
    ids: list[str] = []
    sequences: list[NDArray[np.uint8]] = []
    digest = hashlib.sha256()
    for block in read_blocks(chunks, source, place, allow_empty=True):
        _require_lengths(block, source)
        begin = max(0, first - block.start.record)
        end = len(block) if last is None else min(len(block), last - block.start.record)
        digest.update(_bytes(block, begin, end))
        ids += [name.decode(errors="replace") for name in block.ids[begin:end]]
        sequences += [np.frombuffer(s, np.uint8) for s in block.sequences[begin:end]]
        if last is not None and block.start.record + len(block) >= last:
            break
    return Records(source, tuple(ids), tuple(sequences)), digest.hexdigest()
