"""What a source holds, and which of it a manifest asks for.

A manifest names files exactly or by a pattern in which `*` stands for any characters, slashes
included, as in the patterns of huggingface_hub. A listing is the answer of a source: every file
that was asked for with size, digest and version as far as the source knows them, and what it does
not have. Paths come from outside, so none may leave the folder that it will be written to.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ansatz.core.recipe import RemoteFile

LEDGER_NAME = "manifest.json"


@dataclass(frozen=True)
class Found:
    """What a source says of one of its files.

    Attributes:
        size: Bytes; None if the source does not tell.
        sha256: Digest of the content; None if the source does not tell.
        version: Changes whenever the content does: `git:` and the blob's object name, `md5:` and
            the digest, an HTTP entity tag, a modification time. Empty if the source does not tell.
    """

    size: int | None = None
    sha256: str | None = None
    version: str = ""


@dataclass(frozen=True)
class Entry:
    """One file to bring: what was asked for, and what the source says of it.

    Attributes:
        path: Below the source, and below the raw directory.
        group: What it belongs to, as `run_12`.
        size: Bytes, if known.
        sha256: Digest of the content, if known.
        version: As in `Found`.
        required: Whether the data set is incomplete without it.
    """

    path: str
    group: str = ""
    size: int | None = None
    sha256: str | None = None
    version: str = ""
    required: bool = True

    @property
    def kind(self) -> str:
        """The ending of the file's name, by which a report sums up."""
        return PurePosixPath(self.path).suffix or "no ending"


@dataclass(frozen=True)
class Listing:
    """The answer of a source to a manifest.

    Attributes:
        entries: The files, each once, in the order of the manifest.
        missing: What the source does not have.
        revision: The commit or release that the entries belong to; empty where there is none.
    """

    entries: tuple[Entry, ...]
    missing: tuple[RemoteFile, ...]
    revision: str = ""


def expand(files: Sequence[RemoteFile], known: Mapping[str, Found], revision: str = "") -> Listing:
    """Match the files that a manifest asks for with those that a source knows.

    Args:
        files: Exact paths and patterns.
        known: What the source holds, by path; more than was asked for does no harm.
        revision: The commit that `known` belongs to.

    Raises:
        ValueError: If a path would leave the raw directory, or if the source lists another
            content than the one that the manifest asks for.
    """
    entries: dict[str, Entry] = {}
    missing: list[RemoteFile] = []
    names = sorted(known)
    for file in files:
        paths = [file.path] if file.path in known else list(_matches(file.path, names))
        if not paths:
            missing.append(file)
        for path in paths:
            entries.setdefault(path, _merge(file, safe_path(path), known[path]))
    return Listing(tuple(entries.values()), tuple(missing), revision)


def fixed_folder(pattern: str) -> str:
    """The deepest folder that holds every match of a pattern: `a/b` of `a/b/c*.csv`."""
    return pattern.split("*", 1)[0].rpartition("/")[0]


def safe_path(path: str) -> str:
    """Return a path that stays below the raw directory.

    Raises:
        ValueError: If it is absolute, climbs with `..`, or takes the place of the ledger.
    """
    parts = path.split("/")
    if not all(parts) or any(part in (".", "..") for part in parts) or re.search(r"[\\:\0]", path):
        raise ValueError(
            f"the path {path!r} would be written outside of the raw directory; expected names "
            "separated by '/', without '..' and not absolute. Do not trust this source"
        )
    if path == LEDGER_NAME:
        raise ValueError(f"{LEDGER_NAME} is where fetch keeps its records; rename the file")
    return path


def _matches(pattern: str, names: Sequence[str]) -> Iterator[str]:
    if "*" not in pattern:
        return
    prefix = pattern.split("*", 1)[0]
    expression = re.compile(".*".join(re.escape(piece) for piece in pattern.split("*")))
    # `names` is sorted: hundreds of patterns over a hundred thousand names stay instant.
    for name in names[bisect_left(names, prefix) :]:
        if not name.startswith(prefix):
            return
        if expression.fullmatch(name):
            yield name


def _merge(file: RemoteFile, path: str, found: Found) -> Entry:
    if file.path != path:  # a pattern has no size or digest of its own
        return Entry(path, file.group, found.size, found.sha256, found.version, file.required)
    if file.sha256 and found.sha256 and file.sha256 != found.sha256:
        raise ValueError(
            f"{path}: the manifest asks for the content with sha256 {file.sha256}, and the source "
            f"lists {found.sha256}. It holds another version: name the revision you want"
        )
    size = found.size if file.size is None else file.size
    return Entry(path, file.group, size, file.sha256 or found.sha256, found.version, file.required)
