r"""FASTA to tokens in one pass over bytes.

    >id description
    residues, on any number of lines

Chunks of bytes are cut before the last `\n>`, so a block holds whole records. One regular
expression splits it into headers and sequences, `bytes.translate` drops line ends and turns letters
into tokens at once; the rest works on whole blocks. What is unusual is looked for only where a
block's largest code says that there is something.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ansatz.protein.corpus.alphabet import CODES, FAULT, SPACE, STOP, TO_UNKNOWN, TOKENS

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
        ids: First words of the headers.
        representatives: `RepID=` of the headers, as UniRef writes it; empty where there is none.
        sequences: Tokens of each record, a byte each.
        stops: Stops dropped at the end of a record, by its index in the block.
        unusual: Letters that became <unk>, by index of the record.
    """

    start: Place
    ids: list[bytes]
    representatives: list[bytes]
    sequences: list[bytes]
    stops: dict[int, int] = field(default_factory=dict)
    unusual: dict[int, Counter[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Residues per record, shape (records,)."""
        return np.fromiter(map(len, self.sequences), np.int64, len(self.sequences))

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where records begin in `tokens`, and where the last one ends; shape (records + 1,)."""
        return np.concatenate(([0], np.cumsum(self.lengths)))

    @cached_property
    def tokens(self) -> bytes:
        """All tokens, one record after the other."""
        return b"".join(self.sequences)


def read_blocks(
    chunks: Iterator[bytes],
    name: str = "FASTA",
    start: Place | None = None,
    *,
    allow_empty: bool = False,
) -> Iterator[Block]:
    """Read records as their bytes come.

    Args:
        chunks: The text in pieces of any size; each block has the records that a piece completes.
        name: Of the text, for errors.
        start: Where the first chunk stands in the text, at a `>`; its beginning if left out.
        allow_empty: Take a record without a sequence for one of length 0.

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
        text = b"".join([*pieces, chunk[:cut]]) if cut >= 0 else b""
        if text:  # the first header ends no record
            block, place = _block(text, name, place, allow_empty)
            pieces = [chunk[cut:]]
            yield block
        else:
            pieces.append(chunk)
    yield _block(b"".join(pieces), name, place, allow_empty)[0]


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


def _block(text: bytes, name: str, start: Place, allow_empty: bool) -> tuple[Block, Place]:
    r"""Parse `\n>...` up to the next `\n>`; also the place of what comes next."""
    parts = _RECORD.split(text)
    ids, rests = parts[1::3], parts[2::3]
    codes = [part.translate(CODES, SPACE) for part in parts[3::3]]
    block = Block(start, ids, _representatives(rests), codes)
    largest = int(np.frombuffer(block.tokens, np.uint8).max(initial=0))
    if largest == FAULT:
        raise _fault(text, name, start.line)
    if largest >= len(TOKENS):
        block = _with_unusual(block)
    if not all(ids) or not (allow_empty or all(block.sequences)):
        raise _fault(text, name, start.line)
    lines = int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord("\n")))
    return block, Place(start.byte + len(text), start.line + lines, start.record + len(ids))


def _representatives(rests: list[bytes]) -> list[bytes]:
    """The word after `RepID=` in each header; UniRef has it last, so it is looked for there."""
    sign = b" RepID="
    found = [rest[at + len(sign) :] if (at := rest.rfind(sign)) >= 0 else b"" for rest in rests]
    if len(b"".join(found).translate(None, SPACE)) < sum(map(len, found)):
        found = [(word.split(None, 1) or [b""])[0] for word in found]
    return found


def _with_unusual(block: Block) -> Block:
    """Drop stops at the ends, and turn letters without a token into <unk>, counting both."""
    sequences, stops, unusual = list(block.sequences), {}, {}
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
    return replace(block, sequences=sequences, stops=stops, unusual=unusual)


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
