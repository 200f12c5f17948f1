"""Where files come from: the Hugging Face hub, a web server, a folder, the distribution itself.

hf://datasets/OWNER/NAME@REVISION    listed and pinned to a commit; HF_ENDPOINT is respected
https://..., http://...              exact paths; patterns if the server holds a `manifest.json`, or
                                     the digests of the publisher (`metalink`)
file:///..., or a path               a folder; its `manifest.json`, if any, gives digests
embedded:PACKAGE/FOLDER              data inside an installed package
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files as package_files
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

import httpx

from ansatz.core.recipe import RemoteFile
from ansatz.hub.hugging_face import hugging_face
from ansatz.hub.ledger import parse_ledger
from ansatz.hub.listing import LEDGER_NAME, Found, Listing, expand
from ansatz.hub.metalink import parse_metalink
from ansatz.hub.web import TIMEOUT, Connection, Patience, Stream, TransientError, UnavailableError

_CHUNK = 1 << 20


class Source(Protocol):
    """A place that lists files and hands them out."""

    def listing(self, files: Sequence[RemoteFile]) -> Listing:
        """What the source has of the files that are asked for."""

    def stream(self, path: str, offset: int) -> AbstractContextManager[Stream]:
        """The bytes of a file, from an offset if the source can do that, else from 0."""


@contextmanager
def open_source(
    address: str, patience: Patience, workers: int, checksums: str = ""
) -> Iterator[Source]:
    """Open the source at an address for the length of a `with` block.

    Args:
        address: See the module.
        patience: How long to insist on a server that fails.
        workers: Requests at a time.
        checksums: Path of the publisher's digests on a web server; may be empty.

    Raises:
        ValueError: If the address is none of the four kinds and no folder, or there is none.
        OSError: If there is nothing at the address.
    """
    if not address:
        raise ValueError(
            "these data have no public address: name the folder or the server that has them, "
            "mirror=FOLDER"
        )
    if Path(address).is_dir():
        address = Path(address).resolve().as_uri()
    scheme = address.partition(":")[0]
    if scheme in ("file", "embedded"):
        yield _local(scheme, address)
        return
    if scheme not in ("hf", "https", "http"):
        raise ValueError(
            f"unknown source {address!r}: expected hf://datasets/OWNER/NAME@REVISION, https://..., "
            "file:///... or embedded:PACKAGE/FOLDER"
        )
    limits = httpx.Limits(max_connections=workers + 1)
    with httpx.Client(timeout=TIMEOUT, follow_redirects=True, limits=limits) as client:
        if scheme == "hf":
            yield hugging_face(address, client, patience, workers)
        else:
            advice = "Fetch the files with your browser or account, and name their folder as mirror"
            connection = Connection(client, patience, {}, advice)
            yield WebFolder(address.rstrip("/"), connection, workers, checksums)


# -------------------------------------------------------------------------------------- folders
@dataclass(frozen=True)
class Folder:
    """Files below a local folder; the records of an earlier fetch give their digests."""

    root: Path

    def listing(self, files: Sequence[RemoteFile]) -> Listing:
        """Every file below the folder is known, with its size and time."""
        ledger = self.root / LEDGER_NAME
        records = parse_ledger(ledger.read_bytes(), str(ledger)) if ledger.exists() else {}
        known: dict[str, Found] = {}
        for path in self.root.rglob("*"):
            name = path.relative_to(self.root).as_posix()
            if path.is_file() and not path.name.startswith(".") and name != LEDGER_NAME:
                status = path.stat()
                version = f"{status.st_mtime_ns}-{status.st_size}"
                sha256 = records[name].sha256 if name in records else None
                known[name] = Found(status.st_size, sha256, version)
        return expand(files, known)

    @contextmanager
    def stream(self, path: str, offset: int) -> Iterator[Stream]:
        """Read a file from an offset."""
        with (self.root / path).open("rb") as file:
            file.seek(offset)
            yield Stream(offset, iter(partial(file.read, _CHUNK), b""))


def _local(scheme: str, address: str) -> Folder:
    if scheme == "file":
        root = Path(unquote(urlsplit(address).path))
    else:
        package, _, folder = address.removeprefix("embedded:").partition("/")
        root = Path(str(package_files(package).joinpath(folder)))
    if not root.is_dir():
        raise NotADirectoryError(f"{address} is no folder: expected one at {root}")
    return Folder(root)


# ------------------------------------------------------------------------------------------ web
@dataclass(frozen=True)
class WebFolder:
    """Files below a web address."""

    url: str
    connection: Connection
    workers: int
    checksums: str = ""

    def listing(self, files: Sequence[RemoteFile]) -> Listing:
        """Take the publisher's digests or the server's ledger, else ask for each file by name.

        Raises:
            ValueError: If a pattern is asked for and the server has no ledger.
            UnavailableError: If there should be digests and there are none.
        """
        if self.checksums and (content := self._get(self.checksums)) is not None:
            return self._published(files, content)
        if (ledger := self._get(LEDGER_NAME)) is not None:
            records = parse_ledger(ledger, f"{self.url}/{LEDGER_NAME}")
            return expand(files, {path: Found(r.size, r.sha256) for path, r in records.items()})
        if self.checksums:
            raise UnavailableError(
                f"{self.url} has neither {self.checksums} nor {LEDGER_NAME}: nothing would prove "
                "its files. Put one of them there, or take another mirror"
            )
        return expand(files, self._ask_each(files))

    def stream(self, path: str, offset: int) -> AbstractContextManager[Stream]:
        """Download a file from an offset."""
        return self.connection.stream(f"{self.url}/{quote(path)}", offset)

    def _get(self, path: str) -> bytes | None:
        try:
            return self.connection.ask("GET", f"{self.url}/{quote(path)}").content
        except UnavailableError as error:
            if error.status in (400, 404, 410):  # GitHub's raw files: 400 for a short path
                return None
            raise

    def _published(self, files: Sequence[RemoteFile], content: bytes) -> Listing:
        """What a publisher's digests tell; optional files may be without."""
        where = f"{self.url}/{self.checksums}"
        link = parse_metalink(content, where)
        others = [file for file in files if "*" not in file.path and file.path not in link.files]
        if bare := [file.path for file in others if file.required]:
            raise UnavailableError(f"{where} gives no digest of {', '.join(bare)}")
        return expand(files, {**link.files, **self._ask_each(others)}, link.release)

    def _ask_each(self, files: Sequence[RemoteFile]) -> dict[str, Found]:
        for file in files:
            if "*" in file.path:
                raise ValueError(
                    f"{self.url} cannot be listed, so the pattern {file.path!r} means nothing "
                    f"there: name the files, or put the {LEDGER_NAME} of a fetched copy beside them"
                )
        with ThreadPoolExecutor(self.workers) as pool:
            found = pool.map(self._ask_one, (file.path for file in files))
            return {file.path: one for file, one in zip(files, found, strict=True) if one}

    def _ask_one(self, path: str) -> Found | None:
        try:
            headers = self.connection.ask("HEAD", f"{self.url}/{quote(path)}").headers
        except UnavailableError as error:
            if isinstance(error.__cause__, TransientError):
                raise  # not this file is missing, but the server
            # Some servers refuse HEAD and would answer GET: the download will tell.
            return Found() if error.status in (400, 405, 501) else None
        length = headers.get("Content-Length", "")
        version = headers.get("ETag") or headers.get("Last-Modified", "")
        return Found(int(length) if length.isdigit() else None, None, version)
