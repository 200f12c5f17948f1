"""The same files at several addresses: the next one takes over where one fails.

What to bring is listed once, by the first address that answers. From then on a mirror serves a
file only as long as it lists the same content: the same digest where a publisher gives digests,
else the same size and entity tag or modification time. So a download goes on at another mirror
from the byte where it broke, and never with the bytes of another release.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from ansatz.core.recipe import RemoteFile
from ansatz.hub.listing import Entry, Listing
from ansatz.hub.sources import Source, open_source
from ansatz.hub.web import Patience, Stream, TransientError, UnavailableError

_FAILURES = (TransientError, UnavailableError, PermissionError)


@contextmanager
def open_mirrors(
    addresses: Sequence[str], checksums: str, patience: Patience, workers: int
) -> Iterator[Source]:
    """Open what is at some addresses, as one source, for the length of a `with` block.

    Args:
        addresses: In the order in which they are asked; see `sources`.
        checksums: Path of the publisher's digests below each of them; may be empty.
        patience: How long to insist when all of them fail.
        workers: Requests at a time.

    Raises:
        ValueError: If an address is of no known kind.
        OSError: If there is nothing at an address.
    """
    with ExitStack() as stack:
        if len(addresses) == 1 and not checksums:
            yield stack.enter_context(open_source(addresses[0], patience, workers))
            return
        once = replace(patience, attempts=1)
        opened = (open_source(address, once, workers, checksums) for address in addresses)
        yield Mirrors([stack.enter_context(one) for one in opened], patience)


class Mirrors:
    """Sources in the order in which they are asked; a source itself."""

    def __init__(self, sources: Sequence[Source], patience: Patience) -> None:
        """Take sources that fail at once: to insist is done here, when all of them have failed."""
        self._sources, self._patience = sources, patience
        self._listing = Listing((), ())
        self._listed: dict[str, Entry] = {}
        self._first = 0  # the source of the listing
        self._asked: Counter[str] = Counter()

    def listing(self, files: Sequence[RemoteFile]) -> Listing:
        """The answer of the first source that gives one.

        Raises:
            UnavailableError: If none does, as long as patience lasts.
        """
        for failures in range(1, self._patience.attempts + 1):
            reasons: list[OSError] = []
            for number, source in enumerate(self._sources):
                try:
                    self._listing, self._first = source.listing(files), number
                except _FAILURES as error:
                    reasons.append(error)
                    continue
                self._listed = {entry.path: entry for entry in self._listing.entries}
                return self._listing
            failure = _together(reasons)
            if not isinstance(failure, TransientError):
                raise failure
            if failures < self._patience.attempts:
                time.sleep(self._patience.pause(failures, failure.retry_after))
        raise UnavailableError(f"{failure}, {failures} times")

    @contextmanager
    def stream(self, path: str, offset: int) -> Iterator[Stream]:
        """Open a file at a mirror; asked again, since that one broke or was damaged, at the next.

        Raises:
            TransientError: If the connection fails, or no mirror answers now.
            UnavailableError: If no mirror has the file, or all have another release of it.
        """
        turn = self._asked[path]
        self._asked[path] += 1
        count = len(self._sources)
        reasons: list[OSError] = []
        with ExitStack() as stack:
            for number in range(self._first + turn, self._first + turn + count):
                source = self._sources[number % count]
                try:
                    if turn or number > self._first:
                        self._require_same(source, path)
                    stream = stack.enter_context(source.stream(path, offset))
                    self._require_size(stream, path)
                    break
                except _FAILURES as error:
                    reasons.append(error)
            else:
                raise _together(reasons)
            yield stream

    def _require_same(self, source: Source, path: str) -> None:
        old = self._listed[path]
        listing = source.listing([RemoteFile(path, required=old.required)])
        for new in listing.entries:
            if (old.size, old.sha256, old.version) != (new.size, new.sha256, new.version):
                raise _other(path, _named(self._listing, old), _named(listing, new))

    def _require_size(self, stream: Stream, path: str) -> None:
        size = self._listed[path].size
        if None not in (size, stream.total) and stream.total != size:
            raise _other(path, f"{size} bytes", f"{stream.total} bytes")


def _named(listing: Listing, entry: Entry) -> str:
    return f"{listing.revision} ({entry.version})" if listing.revision else entry.version


def _other(path: str, old: str, new: str) -> UnavailableError:
    return UnavailableError(
        f"{path} is another one there, {new} in place of {old}: the release changed while it was "
        "fetched, or a mirror is behind, and parts of both would not fit. Fetch again to begin anew"
    )


def _together(reasons: Sequence[OSError]) -> TransientError | UnavailableError:
    """The failures of all sources as one, which may pass if one of them may."""
    causes = [
        reason if isinstance(reason, TransientError) else reason.__cause__ for reason in reasons
    ]
    passing = [cause.retry_after for cause in causes if isinstance(cause, TransientError)]
    message = "; ".join(dict.fromkeys(map(str, reasons)))
    return TransientError(message, min(passing)) if passing else UnavailableError(message)
