"""Folders that are complete or absent, whenever the power fails.

A folder is written under another name beside its place, with `manifest.json` as its last file:
the size and SHA-256 of every other one. Everything is flushed to the disk before the folder is
renamed, and the rename is atomic. What a reader finds is checked against the manifest, so a disk
that lost a block is noticed as well.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MANIFEST = "manifest.json"
UNFINISHED = ".unfinished-"
REPLACED = ".replaced-"


@contextmanager
def durable_folder(target: Path) -> Iterator[Path]:
    """Write a folder that appears at once, complete.

    Args:
        target: Where it shall be; what is there goes when the new folder is complete.

    Yields:
        An empty folder to write to. If the block raises, `target` stays as it is.
    """
    work = target.with_name(UNFINISHED + target.name)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        yield work
        _write_manifest(work)
        flush(work)
        _rename(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)  # there only if something was raised


def defect(folder: Path) -> str:
    """What is wrong with a folder that `durable_folder` wrote.

    Returns:
        The first thing found, in words; empty if every byte is as it was written.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except FileNotFoundError:
        return f"{MANIFEST} is missing"
    except ValueError:  # not UTF-8, or not JSON
        return f"{MANIFEST} is not readable"
    for name, expected in manifest.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != expected["size"]:
            return f"{name} has {path.stat().st_size} bytes, expected {expected['size']}"
        if _digest(path) != expected["sha256"]:
            return f"{name} does not have the SHA-256 of its manifest"
    return ""


def remove_leftovers(parent: Path) -> None:
    """Remove the folders that an interrupted write left behind."""
    for folder in parent.iterdir():
        if folder.name.startswith((UNFINISHED, REPLACED)):
            shutil.rmtree(folder)


def replace_file(path: Path, work: Path) -> None:
    """Put a finished file in the place of another, atomically and on the disk."""
    flush(work)
    work.replace(path)
    flush(path.parent)


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename(work: Path, target: Path) -> None:
    old = target.with_name(REPLACED + target.name)
    if target.exists():  # a folder cannot be renamed over another
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
    work.rename(target)
    flush(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _write_manifest(folder: Path) -> None:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for path in files:
        flush(path)
    manifest = {p.name: {"size": p.stat().st_size, "sha256": _digest(p)} for p in files}
    path = folder / MANIFEST
    path.write_text(json.dumps(manifest, indent=1))
    flush(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
