"""The record of what was fetched: `manifest.json` in the raw directory.

For every finished file it holds size, modification time, sha256, source and revision, so that a
second run compares two numbers per file and downloads nothing. It is replaced atomically. A folder
that carries one can serve as a mirror: its digests and file list come along.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ansatz.core.artifacts import atomic
from ansatz.hub.fingerprint import Fingerprint
from ansatz.hub.listing import LEDGER_NAME, Entry


@dataclass(frozen=True)
class Record:
    """A file that was fetched and verified.

    Attributes:
        size: Bytes.
        sha256: Digest of the content.
        mtime_ns: Modification time of the file here, ns since 1970.
        version: What the source called this content, see `listing.Found`.
        source: Address it came from.
        revision: Commit of the source, if it has any.
    """

    size: int
    sha256: str
    mtime_ns: int
    version: str = ""
    source: str = ""
    revision: str = ""

    def describes(self, path: Path) -> bool:
        """Whether a file still has the size and time that were recorded."""
        status = path.stat()
        return (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns)

    def answers(self, entry: Entry) -> bool:
        """Whether the recorded content is the one that the source lists now."""
        if entry.sha256 is not None:
            return self.sha256 == entry.sha256
        return entry.size in (None, self.size) and entry.version in ("", self.version)


Records = dict[str, Record]
_RECORDS = TypeAdapter(Records)


def record(path: Path, found: Fingerprint, entry: Entry, source: str, revision: str) -> Record:
    """Describe a file that has just been verified."""
    time = path.stat().st_mtime_ns
    return Record(found.size, found.sha256, time, entry.version, source, revision)


def parse_ledger(content: bytes, where: str) -> Records:
    """Read records, by path.

    Raises:
        ValueError: If the content is no ledger; the message says where it came from.
    """
    try:
        return _RECORDS.validate_json(content)
    except ValidationError as error:
        raise ValueError(
            f"{where} is not a record of fetched files ({error.error_count()} faults, first: "
            f"{error.errors()[0]['msg']}). Remove it: the files beside it are then verified anew"
        ) from error


def read_ledger(raw: Path) -> Records:
    """The records of a raw directory; none if nothing was fetched yet."""
    path = raw / LEDGER_NAME
    return parse_ledger(path.read_bytes(), str(path)) if path.exists() else {}


def write_ledger(raw: Path, records: Mapping[str, Record]) -> None:
    """Replace the ledger atomically."""
    with atomic(raw / LEDGER_NAME) as part:
        part.write_bytes(_RECORDS.dump_json(dict(sorted(records.items())), indent=1) + b"\n")
