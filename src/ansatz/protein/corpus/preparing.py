"""From FASTA to a corpus, in one pass that may be killed anywhere and run again.

    open_text -> read_blocks -> drop some -> shards -> meta.json

After each shard `journal.json` tells which ones are complete and where the next record begins. A
run that finds a journal of the same source and options goes on there: in a plain file it jumps to
that byte, a compressed or piped one it passes over without parsing. `meta.json` is written last,
holds no time and no path, and is the same, byte for byte, however often the run was killed.

Memory: one shard, and the table of hashes (see `duplicates`).
"""

import hashlib
from collections import Counter
from dataclasses import replace
from itertools import chain, compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ansatz.hub.web import PATIENT, Patience
from ansatz.protein.corpus.duplicates import Hashes, Seen, sequence_hashes
from ansatz.protein.corpus.fasta import Block, Place, read_blocks
from ansatz.protein.corpus.journal import (
    JOURNAL,
    Job,
    Journal,
    Preparing,
    read_journal,
    read_meta,
    write_journal,
    write_meta,
)
from ansatz.protein.corpus.kernels import Kernels, kernels
from ansatz.protein.corpus.reading import Origin, Text, open_text
from ansatz.protein.corpus.shards import Growing, Tally, read_hashes

LONG_TEXT = 1 << 26  # bytes of a file
_HEAD = 1 << 16  # bytes by which a text is known again


def prepare(
    source: str | Path,
    folder: Path,
    options: Preparing | None = None,
    patience: Patience = PATIENT,
) -> dict[str, Any]:
    """Make a corpus, or finish one.

    Args:
        source: Path, `-` or address of FASTA, plain or compressed.
        folder: Of the corpus.
        options: How it is made.
        patience: How long to insist on a server.

    Returns:
        The content of `meta.json`.

    Raises:
        ValueError: If the source is no FASTA, nothing of it is left, or the folder holds a corpus
            of another source or of other options.
        OSError: If the source cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open_text(source, patience) as opened:
        text, head = _with_head(opened)
        job = Job(text.origin, head, options or Preparing())
        known = read_meta(folder, job)
        if known is None:
            journal, rest = _carry_out(read_journal(folder, job), text, folder)
            known = write_meta(folder, journal, rest)
    (folder / JOURNAL).unlink(missing_ok=True)
    return known


def _carry_out(journal: Journal, text: Text, folder: Path) -> tuple[Journal, Tally]:
    """Write the shards that a journal lacks; also what was met after the last of them."""
    options, name = journal.job.options, journal.job.origin.name
    seen, loops = _seen(folder, journal), _kernels(text.origin)
    growing = Growing(folder, len(journal.shards), loops)
    chunks = text.after(journal.block.byte)
    for block in read_blocks(
        chunks, name, journal.block, allow_empty=options.skip_empty, kernels=loops
    ):
        begin = max(0, journal.record - block.start.record)
        if begin >= len(block):
            continue
        dropped, hashes = _dropped(block, begin, options, seen)
        while begin < len(block):
            end = _end(block.lengths, dropped, begin, options.shard_tokens - growing.residues)
            _add(growing, block, dropped, hashes, begin, end)
            begin = end
            if growing.residues >= options.shard_tokens:
                record = block.start.record + end
                journal = _commit(journal, growing, folder, block.start, record)
                growing = Growing(folder, len(journal.shards), loops)
    if growing.residues:
        return _commit(journal, growing, folder, journal.block, journal.record), Tally()
    if not journal.shards:
        raise ValueError(f"{name}: none of its records is left ({growing.tally}): see the options")
    return journal, growing.tally


def _kernels(origin: Origin) -> Kernels | None:
    """Compiled loops, where what they save is more than it takes to load them."""
    is_long = origin.size is None or origin.size >= LONG_TEXT
    return kernels() if is_long else None


# ---------------------------------------------------------------------------- which records stay
KEPT, EMPTY, SHORT, LONG, DUPLICATE = range(5)


def _dropped(
    block: Block, begin: int, options: Preparing, seen: Seen
) -> tuple[NDArray[np.uint8], Hashes]:
    """Why a record is dropped, or `KEPT`, and hashes; both from record `begin` on."""
    lengths = block.lengths
    dropped = np.zeros(len(block), np.uint8)
    dropped[lengths < options.shortest] = SHORT
    if options.longest:
        dropped[lengths > options.longest] = LONG
    dropped[lengths == 0] = EMPTY
    dropped[:begin] = EMPTY
    hashes = np.zeros((len(block), 2), np.uint64)
    candidates = np.flatnonzero(dropped == KEPT)
    hashes[candidates] = sequence_hashes(list(compress(block.sequences, dropped == KEPT)))
    if options.deduplicate:
        dropped[candidates[~seen.add(hashes[candidates])]] = DUPLICATE
    return dropped, hashes


def _end(lengths: NDArray[np.int64], dropped: NDArray[np.uint8], begin: int, room: int) -> int:
    """The end of the records that fill a shard, or of the block."""
    filled = np.cumsum(np.where(dropped[begin:] == KEPT, lengths[begin:], 0))
    return min(begin + int(np.searchsorted(filled, room)) + 1, len(lengths))


def _add(
    growing: Growing,
    block: Block,
    dropped: NDArray[np.uint8],
    hashes: Hashes,
    begin: int,
    end: int,
) -> None:
    """Add the records of a range that stay, and count what is met there."""
    kept = dropped[begin:end] == KEPT
    if len(kept) == len(block) and kept.all():
        tokens, lines = block.tokens, block.names
    else:
        tokens = b"".join(compress(block.sequences[begin:end], kept))
        lines = b"\n".join([*compress(block.lines[begin:end], kept), b""])
    growing.add(tokens, block.lengths[begin:end][kept], lines, hashes[begin:end][kept])
    growing.tally += _tally(block, dropped, begin, end)


def _tally(block: Block, dropped: NDArray[np.uint8], begin: int, end: int) -> Tally:
    reasons = np.bincount(dropped[begin:end], minlength=5).tolist()
    letters: Counter[str] = Counter()
    for index, found in block.unusual.items():
        if begin <= index < end:
            letters += found
    return Tally(
        duplicates=reasons[DUPLICATE],
        too_short=reasons[SHORT],
        too_long=reasons[LONG],
        empty=reasons[EMPTY],
        stops=sum(count for index, count in block.stops.items() if begin <= index < end),
        unusual=dict(sorted(letters.items())),
    )


def _seen(folder: Path, journal: Journal) -> Seen:
    """The hashes of all complete shards."""
    seen = Seen()
    if journal.job.options.deduplicate:
        for shard in journal.shards:
            seen.add(read_hashes(folder, shard.number))
    return seen


def _with_head(text: Text) -> tuple[Text, str]:
    """A text and the SHA-256 of its first bytes."""
    first: list[bytes] = []
    for chunk in text.chunks:
        first.append(chunk)
        if sum(map(len, first)) >= _HEAD:
            break
    head = hashlib.sha256(b"".join(first)[:_HEAD]).hexdigest()
    return replace(text, chunks=chain(first, text.chunks)), head


def _commit(journal: Journal, growing: Growing, folder: Path, block: Place, record: int) -> Journal:
    shard = growing.commit()
    journal = Journal(journal.job, (*journal.shards, shard), block, record)
    write_journal(folder, journal)
    return journal
