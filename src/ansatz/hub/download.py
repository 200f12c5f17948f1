"""One file: continued where it stopped, verified while it streams, named when it is whole.

The bytes grow in `.NAME.TAG.part` beside their destination. The tag stands for the content that
the source lists, so the beginning of one version is never continued with the end of another. Only
a complete file whose digest agrees is renamed; a complete one that disagrees is set aside as
`NAME.corrupt` and fetched again, once.
"""

import hashlib
import os
from collections.abc import Callable
from glob import escape
from pathlib import Path
from threading import Event
from types import TracebackType

from ansatz.hub.fingerprint import Fingerprint, Hasher, difference
from ansatz.hub.listing import Entry
from ansatz.hub.sources import Source
from ansatz.hub.web import Patience, TransientError, UnavailableError

Advance = Callable[[int], None]


def download(
    source: Source, entry: Entry, target: Path, patience: Patience, stop: Event, advance: Advance
) -> Fingerprint:
    """Bring one file to its place.

    Args:
        source: Where it is.
        entry: What it is.
        target: Where it goes.
        patience: How long to insist on a source that fails.
        stop: When set, the transfer ends after the bytes at hand; what has arrived is kept.
        advance: Told the number of bytes that arrive, negative when some are given up.

    Returns:
        The digests of the content.

    Raises:
        UnavailableError: If the source does not have it, or has it damaged.
        PermissionError: If the source refuses access.
        InterruptedError: If it was stopped.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = part_path(target, entry)
    fault = ""
    for _ in range(2):
        with Part(part, entry) as arrived:
            _receive(source, entry, arrived, patience, stop, advance)
            found = arrived.fingerprint()
        fault = difference(entry, found)
        if not fault:
            part.replace(target)
            for stale in target.parent.glob(f".{escape(target.name)}.*.part"):
                stale.unlink()
            return found
        advance(-found.size)
        quarantine(part, target)
    raise UnavailableError(
        f"damaged at the source: {fault}, twice; the bytes are in {target.name}.corrupt. "
        "Tell its owner, or fetch from a mirror"
    )


def part_path(target: Path, entry: Entry) -> Path:
    """Where the bytes of a file grow until it is whole."""
    tag = hashlib.sha256((entry.sha256 or entry.version).encode()).hexdigest()[:8]
    return target.with_name(f".{target.name}.{tag}.part")


def quarantine(path: Path, target: Path) -> None:
    """Set bytes aside that are not what `target` should hold."""
    path.replace(target.with_name(f"{target.name}.corrupt"))


class Part:
    """The bytes of a file that have arrived so far, on disk, and their digests."""

    def __init__(self, path: Path, entry: Entry) -> None:
        """Continue what an earlier run left, where that is safe."""
        self._path = path
        self._entry = entry
        self._file = path.open("ab")
        self._hasher = Hasher(entry, entry.size)
        self.size = self._file.tell()
        is_known = bool(entry.sha256 or entry.version)
        if not is_known or self.size > (entry.size if entry.size is not None else self.size):
            self.rewind()
        else:
            self._hasher.update_from(path)

    def __enter__(self) -> "Part":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if error and not self.size:
            self._path.unlink()

    def rewind(self) -> None:
        """Give up what has arrived."""
        self._file.truncate(0)
        self._hasher = Hasher(self._entry, self._entry.size)
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._file.write(chunk)
        self._hasher.update(chunk)
        self.size += len(chunk)

    def fingerprint(self) -> Fingerprint:
        """The digests of all bytes, once they are safe on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._hasher.fingerprint()


def _receive(
    source: Source, entry: Entry, part: Part, patience: Patience, stop: Event, advance: Advance
) -> None:
    """Fill a part, resuming after each failure; bytes that arrive renew the patience."""
    failures = 0
    while entry.size is None or part.size < entry.size:
        before = part.size
        try:
            _append(source, entry, part, stop, advance)
            return
        except TransientError as error:
            failures = 1 if part.size > before else failures + 1
            if failures >= patience.attempts:
                raise UnavailableError(f"{error}, {failures} times in a row") from error
            stop.wait(patience.pause(failures, error.retry_after))


def _append(source: Source, entry: Entry, part: Part, stop: Event, advance: Advance) -> None:
    with source.stream(entry.path, part.size) as stream:
        if stream.start != part.size:  # the source cannot continue, and sends everything
            advance(-part.size)
            part.rewind()
        for chunk in stream.chunks:
            if stop.is_set():
                raise InterruptedError(f"{entry.path} was stopped; fetch again to continue it")
            part.write(chunk)
            advance(len(chunk))
            if entry.size is not None and part.size > entry.size:
                return  # more than was listed: no reason to fill the disk with it
