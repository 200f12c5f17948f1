r"""Digests of content: sha256 for every file, git's name of a blob, and md5 where asked for.

The Hugging Face hub lists the sha256 of its large files, and of the small ones only the name that
git gives them, sha1 of `blob SIZE\0` and the content (Pro Git, §10.2). Computing both makes every
byte of a data set checkable, the small tables included. Other publishers give the md5.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ansatz.hub.listing import Entry

GIT, MD5 = "git:", "md5:"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Fingerprint:
    """What a content is: its size in bytes, sha256, name as a git blob, md5 (may be empty)."""

    size: int
    sha256: str
    git: str
    md5: str = ""


class Hasher:
    """Digests of bytes as they arrive."""

    def __init__(self, entry: Entry, size: int | None) -> None:
        """Start at the first byte; `size` is the expected total, which git hashes first."""
        self._sha256 = hashlib.sha256()
        self._git = hashlib.sha1(b"blob %d\0" % (size or 0), usedforsecurity=False)
        # It takes longer than the two others together.
        self._md5 = hashlib.md5(usedforsecurity=False) if entry.version.startswith(MD5) else None
        self._size = 0

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._sha256.update(chunk)
        self._git.update(chunk)
        if self._md5:
            self._md5.update(chunk)
        self._size += len(chunk)

    def update_from(self, path: Path) -> None:
        """Take the content of a file."""
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                self.update(chunk)

    def fingerprint(self) -> Fingerprint:
        """The digests of what has been taken so far."""
        sha256, git = self._sha256.hexdigest(), GIT + self._git.hexdigest()
        return Fingerprint(
            self._size, sha256, git, MD5 + self._md5.hexdigest() if self._md5 else ""
        )


def fingerprint(path: Path, entry: Entry) -> Fingerprint:
    """Read a file and return the digests that an entry asks for."""
    hasher = Hasher(entry, path.stat().st_size)
    hasher.update_from(path)
    return hasher.fingerprint()


def has_digest(entry: Entry) -> bool:
    """Whether the content of an entry can be checked against its source."""
    return entry.sha256 is not None or entry.version.startswith((GIT, MD5))


def difference(entry: Entry, found: Fingerprint) -> str:
    """Say how a content differs from what was listed; empty if it does not."""
    if entry.size is not None and found.size != entry.size:
        return f"expected {entry.size} bytes, got {found.size}"
    if entry.sha256 is not None and found.sha256 != entry.sha256:
        return f"expected sha256 {entry.sha256}, got {found.sha256}"
    if entry.version.startswith(GIT) and found.git != entry.version:
        return f"expected blob {entry.version}, got {found.git}"
    if entry.version.startswith(MD5) and found.md5 != entry.version:
        return f"expected {entry.version}, got {found.md5}"
    return ""
