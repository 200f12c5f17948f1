"""What a corpus is made of, and how far it is: `journal.json`, and `meta.json` at the end."""

from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge
from pydantic import TypeAdapter

from ansatz.core.artifacts import write_json
from ansatz.protein.corpus.alphabet import TOKENS
from ansatz.protein.corpus.fasta import Place
from ansatz.protein.corpus.reading import Origin
from ansatz.protein.corpus.shards import LENGTH_BIN, Shard, Tally

META, JOURNAL = "meta.json", "journal.json"
FORMAT = 1


@dataclass(frozen=True)
class Preparing:
    """How a corpus is made.

    Attributes:
        shortest, longest: Residues that a record may have; 0 for no limit.
        deduplicate: Keep only the first of records with the same sequence.
        skip_empty: Drop and count records without a sequence, which are an error otherwise.
        shard_tokens: A shard is closed by the record that brings it to this number.
    """

    shortest: Annotated[int, Ge(0)] = 0
    longest: Annotated[int, Ge(0)] = 0
    deduplicate: bool = True
    skip_empty: bool = False
    shard_tokens: Annotated[int, Ge(1)] = 1 << 27


@dataclass(frozen=True)
class Job:
    """What decides about the bytes of a corpus: source, its first bytes, and options."""

    origin: Origin
    head: str
    options: Preparing
    format: int = FORMAT


@dataclass(frozen=True)
class Journal:
    """How far a job is.

    Attributes:
        job: Which one.
        shards: Those that are complete.
        block: Where a block of records begins, from which to read on.
        record: The first record that is in none of the shards.
    """

    job: Job
    shards: tuple[Shard, ...] = ()
    block: Place = field(default_factory=Place)
    record: int = 0


_JOURNAL: TypeAdapter[Journal] = TypeAdapter(Journal)
_JOB: TypeAdapter[Job] = TypeAdapter(Job)
_ANY: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def write_journal(folder: Path, journal: Journal) -> None:
    """Write down how far a job is."""
    write_json(folder / JOURNAL, asdict(journal))


def read_journal(folder: Path, job: Job) -> Journal:
    """The journal of a job, an empty one if it has not begun.

    Raises:
        ValueError: If it is that of another job.
    """
    path = folder / JOURNAL
    if not path.exists():
        return Journal(job)
    journal = _JOURNAL.validate_json(path.read_bytes())
    _require_same(journal.job, job, folder)
    return journal


def read_meta(folder: Path, job: Job) -> dict[str, Any] | None:
    """What a finished job wrote; None if it is not finished.

    Raises:
        ValueError: If it is that of another job.
    """
    path = folder / META
    if not path.exists():
        return None
    known = _ANY.validate_json(path.read_bytes())
    _require_same(_JOB.validate_python(known["job"]), job, folder)
    return known


def _require_same(known: Job, job: Job, folder: Path) -> None:
    if known != job:
        parts = [name for name in asdict(job) if getattr(known, name) != getattr(job, name)]
        raise ValueError(
            f"{folder} was begun with another {' and '.join(parts)}: give the same source and "
            f"options, name another folder, or remove this one. It was {known}, now it is {job}"
        )


def write_meta(folder: Path, journal: Journal, rest: Tally) -> dict[str, Any]:
    """Sum up all shards."""
    shards = journal.shards
    counts = np.sum([shard.counts for shard in shards], axis=0)
    total = sum((shard.tally for shard in shards), rest)
    meta = {
        "job": journal.job,
        "code": version("ansatz-ai"),
        "alphabet": TOKENS,
        "records": sum(shard.records for shard in shards),
        "residues": sum(shard.residues for shard in shards),
        "counts": {TOKENS[i]: int(n) for i, n in enumerate(counts) if n},
        "met": total,
        "length_bin": LENGTH_BIN,
        "length_histogram": np.sum([shard.histogram for shard in shards], axis=0),
        "shards": [
            {"records": s.records, "residues": s.residues, "checksums": s.checksums} for s in shards
        ],
    }
    write_json(folder / META, meta)
    return _ANY.validate_json((folder / META).read_bytes())
