r"""FASTA to tokens in one pass over bytes.

    >id description
    residues, on any number of lines

Chunks of bytes are cut before the last `\n>`, so a block holds whole records. One regular
expression splits it into headers and sequences, `bytes.translate` drops line ends and turns letters
into tokens at once; the rest works on whole blocks. What is unusual is looked for only where a
block's largest code says that there is something. Ordinary blocks of long texts go through compiled
loops instead, where there are some (`kernels`).
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from ansatz.protein.corpus.alphabet import CODES, FAULT, SPACE, STOP, TO_UNKNOWN, TOKENS
from ansatz.protein.corpus.kernels import END, Kernels

_RECORD = re.compile(rb"\n>(\S*)([^\n]*)")


@dataclass(frozen=True)
class Place:
    """Where a record begins: byte and line of its `>`, and how many records come before it."""

    byte: int = 0
    line: int = 1
    record: int = 0


@dataclass(frozen=True)
class Block:
    """Some consecutive records.

    Attributes:
        start: Where the first one begins.
        tokens: All tokens, one record after the other, a byte each.
        offsets: Where records begin in `tokens`, and where the last one ends; shape (records + 1,).
        names: A line per record: first word of the header, a tab, and what UniRef calls `RepID`;
            empty where there is none.
        stops: Stops dropped at the end of a record, by its index in the block.
        unusual: Letters that became <unk>, by index of the record.
    """

    start: Place
    tokens: bytes
    offsets: NDArray[np.int64]
    names: bytes
    stops: dict[int, int] = field(default_factory=dict)
    unusual: dict[int, Counter[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Residues per record, shape (records,)."""
        return np.diff(self.offsets)

    @cached_property
    def sequences(self) -> list[bytes]:
        """Tokens of each record."""
        edges = self.offsets.tolist()
        return [self.tokens[begin:end] for begin, end in pairwise(edges)]

    @cached_property
    def lines(self) -> list[bytes]:
        """The lines of `names`, without their ends."""
        return self.names.split(b"\n")[:-1]

    @cached_property
    def ids(self) -> list[bytes]:
        """First words of the headers."""
        return [line.partition(b"\t")[0] for line in self.lines]

    @cached_property
    def representatives(self) -> list[bytes]:
        """What UniRef calls `RepID`."""
        return [line.partition(b"\t")[2] for line in self.lines]


def read_blocks(
    chunks: Iterator[bytes],
    name: str = "FASTA",
    start: Place | None = None,
    *,
    allow_empty: bool = False,
    kernels: Kernels | None = None,
) -> Iterator[Block]:
    """Read records as their bytes come.

    Args:
        chunks: The text in pieces of any size; each block has the records that a piece completes.
        name: Of the text, for errors.
        start: Where the first chunk stands in the text, at a `>`; its beginning if left out.
        allow_empty: Take a record without a sequence for one of length 0.
        kernels: Compiled loops for ordinary blocks.

    Yields:
        Records in their order.

    Raises:
        ValueError: If the text is no FASTA, with the number of the line.
    """
    first, place = _beginning(chunks, name, start or Place())
    pieces = [b"\n"]
    for chunk in filter(None, chain([first], chunks)):
        cut = chunk.rfind(b"\n>")
        if cut < 0 and pieces[-1].endswith(b"\n") and chunk.startswith(b">"):
            cut, chunk = 0, b"\n" + chunk
            pieces[-1] = pieces[-1][:-1]
        text = b"".join([*pieces, chunk[: cut + len(END)]]) if cut >= 0 else b""
        if len(text) > len(END):  # the first header ends no record
            block, place = _block(text, name, place, allow_empty, kernels)
            pieces = [chunk[cut:]]
            yield block
        else:
            pieces.append(chunk)
    yield _block(b"".join([*pieces, END]), name, place, allow_empty, kernels)[0]


def _beginning(chunks: Iterator[bytes], name: str, place: Place) -> tuple[bytes, Place]:
    """Pass over white space before the first `>`."""
    for chunk in chunks:
        text = chunk.lstrip(SPACE)
        skipped = chunk[: len(chunk) - len(text)]
        place = replace(
            place, byte=place.byte + len(skipped), line=place.line + skipped.count(b"\n")
        )
        if text.startswith(b">"):
            return text, place
        if text:
            raise ValueError(
                f"{name}, line {place.line}: expected a header, as in '>P12345', got {_shown(text)}"
            )
    raise ValueError(f"{name} holds no records: expected FASTA, as in '>P12345', got nothing")


def _block(
    text: bytes, name: str, start: Place, allow_empty: bool, kernels: Kernels | None
) -> tuple[Block, Place]:
    r"""Parse `\n>...` up to the next `\n>`, which is there; also the place of what comes next."""
    found = kernels.parse(text) if kernels else None
    if found:
        tokens, offsets, names, lines = found
        block = Block(start, tokens, offsets, names)
    else:
        block = _any_block(text[: -len(END)], name, start, allow_empty)
        lines = int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord("\n"))) - END.count(b"\n")
    byte = start.byte + len(text) - len(END)
    return block, Place(byte, start.line + lines, start.record + len(block))


def _any_block(text: bytes, name: str, start: Place, allow_empty: bool) -> Block:
    """Parse a block whatever is in it."""
    parts = _RECORD.split(text)
    ids, rests = parts[1::3], parts[2::3]
    codes = [part.translate(CODES, SPACE) for part in parts[3::3]]
    tokens = b"".join(codes)
    largest = int(np.frombuffer(tokens, np.uint8).max(initial=0))
    if largest == FAULT:
        raise _fault(text, name, start.line)
    stops: dict[int, int] = {}
    unusual: dict[int, Counter[str]] = {}
    if largest >= len(TOKENS):
        codes, stops, unusual = _without_unusual(codes)
        tokens = b"".join(codes)
    if not all(ids) or not (allow_empty or all(codes)):
        raise _fault(text, name, start.line)
    offsets = np.cumsum([0, *map(len, codes)], dtype=np.int64)
    pairs = zip(ids, _representatives(rests), strict=True)
    names = b"".join([b"%b\t%b\n" % pair for pair in pairs])
    return Block(start, tokens, offsets, names, stops, unusual)


def _representatives(rests: list[bytes]) -> list[bytes]:
    """The word after `RepID=` in each header; UniRef has it last, so it is looked for there."""
    sign = b" RepID="
    found = [rest[at + len(sign) :] if (at := rest.rfind(sign)) >= 0 else b"" for rest in rests]
    if len(b"".join(found).translate(None, SPACE)) < sum(map(len, found)):
        found = [(word.split(None, 1) or [b""])[0] for word in found]
    return found


def _without_unusual(
    sequences: list[bytes],
) -> tuple[list[bytes], dict[int, int], dict[int, Counter[str]]]:
    """Drop stops at the ends, and turn letters without a token into <unk>; also both, counted."""
    sequences, stops, unusual = list(sequences), {}, {}
    for index, codes in enumerate(sequences):
        if max(codes, default=0) < len(TOKENS):
            continue
        kept = codes.rstrip(bytes([STOP]))
        if len(kept) < len(codes):
            stops[index] = len(codes) - len(kept)
        letters = Counter(chr(code) for code in kept if code >= len(TOKENS))
        if letters:
            unusual[index] = letters
        sequences[index] = kept.translate(TO_UNKNOWN)
    return sequences, stops, unusual


def _fault(text: bytes, name: str, line: int) -> ValueError:
    """Find the first fault of a block, line by line."""
    header, residues = line, 1
    for number, content in enumerate(text.split(b"\n")[1:], line):
        if content.startswith(b">"):
            if not residues:
                break
            header, residues = number, 0
            if not content[1:2].strip():
                return ValueError(
                    f"{name}, line {number}: a record without an id: expected '>P12345', "
                    f"got {_shown(content)}"
                )
            continue
        codes = content.translate(CODES, SPACE)
        residues += len(codes.replace(b"*", b""))
        if FAULT in codes:
            at = next(
                i
                for i, byte in enumerate(content)
                if FAULT in bytes([byte]).translate(CODES, SPACE)
            )
            return ValueError(
                f"{name}, line {number}, column {at + 1}: {_shown(content[at : at + 1])} is no "
                "residue: expected letters, '.', '-' or '*'"
            )
    return ValueError(f"{name}, line {header}: a record without a sequence")


def _shown(text: bytes) -> str:
    return repr(text[:40].split(b"\n")[0])[1:]
