"""Bytes of a FASTA text: from a file, standard input or the web, as they come.

A thread reads and decompresses a few chunks ahead, so that this overlaps the work on the text.
"""

import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import httpx

from ansatz.hub.web import PATIENT, TIMEOUT, Connection, Patience, TransientError, UnavailableError
from ansatz.protein.corpus.compression import Compression, compression_of, uncompressed

CHUNK = 1 << 20  # of what is read
AHEAD = 4  # chunks
STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Origin:
    """What a text was read from.

    Attributes:
        name: Of the file without its folder, `-`, or an address.
        compression: As seen from the first bytes.
        size: Bytes of a file.
    """

    name: str
    compression: Compression
    size: int | None = None


@dataclass(frozen=True)
class Text:
    """A text that is open.

    Attributes:
        origin: Where it is from.
        chunks: The uncompressed text from its beginning.
        path: Of a file that is not compressed, and can be opened anywhere.
    """

    origin: Origin
    chunks: Iterator[bytes]
    path: Path | None = None

    def after(self, byte: int) -> Iterator[bytes]:
        """The text from a byte on: jumps there in a plain file, else passes over what is before."""
        if self.path and byte:
            yield from _file_chunks(self.path, byte)
            return
        for chunk in self.chunks:
            if len(chunk) > byte:
                yield chunk[byte:]
            byte = max(0, byte - len(chunk))


@contextmanager
def open_text(
    source: str | Path, patience: Patience = PATIENT, stdin: BinaryIO | None = None
) -> Iterator[Text]:
    """Open a source for the length of a `with` block.

    Args:
        source: A path, `-` for standard input, or an address that begins with `https://`.
        patience: How long to insist on a server that fails.
        stdin: What `-` stands for.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is compressed in a way that cannot be read; while reading, if it is
            damaged or ends too early.
    """
    raw, name, path = _raw(source, patience, stdin)
    first = b""
    for chunk in raw:
        first += chunk
        if len(first) >= 8:
            break
    compression = compression_of(first, name)
    raw = chain([first], raw)
    is_file = path is not None and path.is_file()  # a named pipe is none
    origin = Origin(name, compression, path.stat().st_size if path and is_file else None)
    with _ahead(uncompressed(raw, compression, name)) as chunks:
        plain = path if is_file and compression == "none" else None
        yield Text(origin, chunks, plain)


def _raw(
    source: str | Path, patience: Patience, stdin: BinaryIO | None
) -> tuple[Iterator[bytes], str, Path | None]:
    text = str(source)
    if text == STANDARD_INPUT:
        return iter(partial((stdin or sys.stdin.buffer).read, CHUNK), b""), text, None
    if text.startswith(("https://", "http://")):
        return _web_chunks(text, patience), text, None
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(
            f"there is no file {path}: expected FASTA, plain or compressed, '-' for standard "
            "input, or an address https://..."
        )
    return _file_chunks(path), path.name, path


def _file_chunks(path: Path, byte: int = 0) -> Iterator[bytes]:
    with path.open("rb") as file:
        if byte:
            file.seek(byte)
        yield from iter(partial(file.read, CHUNK), b"")


def _web_chunks(url: str, patience: Patience) -> Iterator[bytes]:
    """Download a file; a broken connection is taken up where it broke.

    Raises:
        UnavailableError: If it cannot be had.
        PermissionError: If the server refuses access.
    """
    advice = "Download it with your browser or account, and name the file"
    arrived, failures = 0, 0
    with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
        connection = Connection(client, patience, {}, advice)
        while True:
            try:
                with connection.stream(url, arrived) as stream:
                    known = arrived - stream.start  # a server without ranges begins anew
                    for chunk in stream.chunks:
                        fresh, known = chunk[known:], max(0, known - len(chunk))
                        arrived, failures = arrived + len(fresh), 0
                        yield fresh
                    return
            except TransientError as error:
                failures += 1
                if failures >= patience.attempts:
                    raise UnavailableError(f"{error}, {failures} times") from error
                time.sleep(patience.pause(failures, error.retry_after))


# --------------------------------------------------------------------------------------- thread
@contextmanager
def _ahead(chunks: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
    """Draw from an iterator in a thread, a few chunks ahead; its errors come out here."""
    line: queue.Queue[bytes | BaseException | None] = queue.Queue(AHEAD)
    stop = threading.Event()

    def put(item: bytes | BaseException | None) -> None:
        while not stop.is_set():
            with suppress(queue.Full):
                line.put(item, timeout=0.1)
                return

    def work() -> None:
        try:
            for chunk in chunks:
                put(chunk)
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:  # raised again below, in the thread that reads
            put(error)

    def drawn() -> Iterator[bytes]:
        while (item := line.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    threading.Thread(target=work, name="reading ahead", daemon=True).start()
    try:
        yield drawn()
    finally:
        stop.set()
