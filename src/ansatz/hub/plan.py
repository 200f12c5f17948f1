"""What a fetch would do, and what it did: files, bytes, disk space, what is missing.

The plan compares a listing with the raw directory and its ledger; it reads no content and writes
nothing, so that it is also the dry run. The report says the same afterwards.
"""

import errno
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ansatz.core.recipe import RemoteFile
from ansatz.hub.download import part_path
from ansatz.hub.fingerprint import has_digest
from ansatz.hub.ledger import Record
from ansatz.hub.listing import Entry, Listing

Standing = Literal["kept", "unsure", "absent"]


@dataclass(frozen=True)
class Amount:
    """Files and bytes, in all and still to fetch. Files of unknown size count no bytes."""

    files: int = 0
    bytes: int = 0
    files_left: int = 0
    bytes_left: int = 0


@dataclass(frozen=True)
class Trouble:
    """A file that is not there in the end, and why."""

    path: str
    group: str
    reason: str
    required: bool = True


@dataclass(frozen=True)
class FetchReport:
    """What a fetch found and did.

    Attributes:
        source: Address of the files.
        revision: Commit of the source, if it has any.
        raw: Where the files go.
        entries: Every file that the source lists.
        present: Paths that are in their place, verified.
        fetched: Those of them that this run downloaded.
        troubles: What is missing.
        free_bytes: Free space below `raw`.
        dry_run: Nothing was fetched because nothing should be.
    """

    source: str
    raw: Path
    entries: tuple[Entry, ...] = ()
    present: frozenset[str] = frozenset()
    fetched: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    revision: str = ""
    free_bytes: int = 0
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether every required file is in its place, or would be after a dry run."""
        return not any(trouble.required for trouble in self.troubles)

    @property
    def total(self) -> Amount:
        """Files and bytes of the whole."""
        return self._amounts(lambda entry: "").get("", Amount())

    def by_kind(self) -> dict[str, Amount]:
        """Files and bytes by the ending of the name."""
        return self._amounts(lambda entry: entry.kind)

    def by_group(self) -> dict[str, Amount]:
        """Files and bytes by group, as `run_12`."""
        return self._amounts(lambda entry: entry.group)

    def missing_by_group(self) -> dict[str, tuple[Trouble, ...]]:
        """What is missing, by group."""
        groups: dict[str, tuple[Trouble, ...]] = {}
        for trouble in self.troubles:
            groups[trouble.group] = (*groups.get(trouble.group, ()), trouble)
        return groups

    def lines(self) -> list[str]:
        """The report as text, totals first."""
        total, at = self.total, f" at {self.revision[:12]}" if self.revision else ""
        lines = [
            f"{self.source}{at}: {total.files} files, {readable(total.bytes)}; "
            f"{total.files_left} files, {readable(total.bytes_left)} still to fetch; "
            f"{readable(self.free_bytes)} free in {self.raw}"
        ]
        for kind, amount in sorted(self.by_kind().items()):
            lines.append(f"  {kind}: {amount.files} files, {readable(amount.bytes)}")
        for group, troubles in self.missing_by_group().items():
            for trouble in troubles:
                optional = "" if trouble.required else " (optional)"
                lines.append(f"missing{optional} {group}: {trouble.path}: {trouble.reason}")
        return lines

    def _amounts(self, key: Callable[[Entry], str]) -> dict[str, Amount]:
        amounts: dict[str, Amount] = {}
        for entry in self.entries:
            old, size = amounts.get(key(entry), Amount()), entry.size or 0
            left = entry.path not in self.present
            amounts[key(entry)] = Amount(
                old.files + 1,
                old.bytes + size,
                old.files_left + left,
                old.bytes_left + size * left,
            )
        return amounts


@dataclass(frozen=True)
class Plan:
    """What is there, what needs a second look, and what has to be brought.

    Attributes:
        listing: The answer of the source.
        raw: Where the files go.
        standings: Of each listed path: `kept` is recorded and unchanged, `unsure` exists and has
            to be read to know, `absent` has to be downloaded.
        missing: Troubles known before anything is downloaded.
    """

    listing: Listing
    raw: Path
    standings: Mapping[str, Standing]
    missing: tuple[Trouble, ...] = ()

    def bytes_to_fetch(self) -> int:
        """Bytes that the disk has to take beyond what earlier runs left of the absent files."""
        return sum(
            max(0, (entry.size or 0) - _size(part_path(self.raw / entry.path, entry)))
            for entry in self.listing.entries
            if self.standings[entry.path] == "absent"
        )

    def require_space(self) -> None:
        """Refuse to start what cannot be finished.

        Raises:
            OSError: If the disk is too small, with the numbers.
        """
        needed, free = self.bytes_to_fetch(), free_bytes(self.raw)
        if needed > free:
            raise OSError(
                errno.ENOSPC,
                f"{readable(needed)} are still to fetch and {readable(free)} are free in "
                f"{self.raw}. Ask for fewer files, free space, or choose another directory",
            )


def make_plan(
    listing: Listing, raw: Path, records: Mapping[str, Record], verify: bool = False
) -> Plan:
    """Compare a listing with a raw directory.

    Args:
        listing: The answer of the source.
        raw: Where the files go; need not exist.
        records: The ledger of the raw directory.
        verify: Trust no record: read every file again.
    """
    standings = {
        entry.path: _standing(entry, raw / entry.path, records.get(entry.path), verify)
        for entry in listing.entries
    }
    return Plan(listing, raw, standings, tuple(map(_not_listed, listing.missing)))


def free_bytes(folder: Path) -> int:
    """Free space for a folder that need not exist yet."""
    existing = next(
        path for path in (folder.absolute(), *folder.absolute().parents) if path.exists()
    )
    return shutil.disk_usage(existing).free


def readable(count: float) -> str:
    """Bytes as people say them, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _standing(entry: Entry, path: Path, record: Record | None, verify: bool) -> Standing:
    if not path.is_file():
        return "absent"
    if record is None or not record.describes(path):
        return "unsure" if record or has_digest(entry) else "absent"
    if not record.answers(entry):
        return "absent"  # the source has another version now
    return "unsure" if verify else "kept"


def _not_listed(file: RemoteFile) -> Trouble:
    return Trouble(file.path, file.group, "the source does not have it", file.required)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
