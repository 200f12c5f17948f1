"""Compressed text, known by its first bytes and not by its name.

gzip (RFC 1952, any number of members, as bgzip writes them), zstandard (RFC 8878, any number of
frames) or plain. Both libraries let go of Python's lock while they work.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from typing import Literal

from ansatz.core.errors import require

BUFFER = 1 << 20  # of compressed bytes
TEXT = 1 << 20  # of what is handed on
Compression = Literal["none", "gzip", "zstd"]
_MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_REFUSED = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip"}


def compression_of(first: bytes, name: str) -> Compression:
    """What a text is compressed with.

    Raises:
        ValueError: If that is known and cannot be read here.
    """
    for magic, kind in _REFUSED.items():
        if first.startswith(magic):
            raise ValueError(
                f"{name} is compressed with {kind}: expected gzip, zstd or plain text. Unpack it "
                "into a pipe, and name '-' for standard input"
            )
    return next((kind for magic, kind in _MAGIC.items() if first.startswith(magic)), "none")


def uncompressed(raw: Iterator[bytes], kind: Compression, name: str) -> Iterator[bytes]:
    """Decompress as the bytes come.

    Raises:
        ValueError: While reading, if the bytes are damaged or end too early.
    """
    if kind == "none":
        return raw
    return _gunzipped(raw, name) if kind == "gzip" else _unzstandard(raw, name)


def _gunzipped(raw: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Decompress with ISA-L where it is installed: three times as fast as zlib."""
    faults: tuple[type[Exception], ...] = (EOFError, gzip.BadGzipFile, zlib.error)
    file = io.BufferedReader(_Readable(raw), BUFFER)
    opened: gzip.GzipFile
    if find_spec("isal"):
        igzip, isal_zlib = require("isal.igzip", "protein", ""), require("isal.isal_zlib", "", "")
        opened, faults = igzip.GzipFile(fileobj=file), (*faults, isal_zlib.IsalError)
    else:
        opened = gzip.GzipFile(fileobj=file)
    try:
        yield from iter(partial(opened.read, TEXT), b"")
    except EOFError as error:
        raise ValueError(f"{name} ends in the middle of a gzip stream: fetch it again") from error
    except faults as error:
        raise ValueError(f"{name} is damaged gzip ({error}): fetch it again") from error


def _unzstandard(raw: Iterator[bytes], name: str) -> Iterator[bytes]:
    zstandard = require("zstandard", "protein", f"reading {name}")
    unpacker = zstandard.ZstdDecompressor()
    frame = None
    for chunk in raw:
        rest = chunk
        while rest:
            frame = frame or unpacker.decompressobj()
            try:
                yield frame.decompress(rest)
            except zstandard.ZstdError as error:
                raise ValueError(f"{name} is damaged zstd ({error}): fetch it again") from error
            rest = b""
            if frame.eof:
                rest, frame = frame.unused_data, None
    if frame is not None:
        raise ValueError(f"{name} ends in the middle of a zstd frame: fetch it again")


class _Readable(io.RawIOBase):
    """Chunks as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
