"""Artifacts: files and folders that appear whole or not at all.

Every artifact directory carries `provenance.json`: the resolved recipe, its overrides, the hashes
of its parents, the versions, the seed and the machine, so that a number in a report can be traced
to bytes.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROVENANCE = "provenance.json"


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, content: object) -> None:
    """Write JSON atomically, dataclasses and paths included."""
    with atomic(path) as part:
        part.write_text(json.dumps(content, indent=1, default=plain) + "\n")


def plain(value: object) -> object:
    """What JSON can hold in place of a value that it cannot."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if callable(value):
        return f"{value.__module__}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


def digest(path: Path) -> str:
    """The sha256 of a file, or of a folder's names and contents without its provenance."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    total = hashlib.sha256()
    for file_path in sorted(p for p in path.rglob("*") if p.is_file() and p.name != PROVENANCE):
        total.update(f"{file_path.relative_to(path)} {digest(file_path)}\n".encode())
    return total.hexdigest()


def write_provenance(
    folder: Path,
    recipe: object,
    *,
    overrides: Mapping[str, object] | None = None,
    parents: Mapping[str, Path] | None = None,
    **more: object,
) -> dict[str, Any]:
    """Write `provenance.json` into an artifact's folder.

    Args:
        folder: Of the artifact.
        recipe: As resolved.
        overrides: What was changed from the recipe's defaults.
        parents: The artifacts that this one came from, by role; their digests are recorded.
        more: Anything else worth knowing.

    Returns:
        What was written.
    """
    content: dict[str, Any] = {
        "command": " ".join(["ansatz", *sys.argv[1:]]) if sys.argv else "",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": recipe,
        "overrides": dict(overrides or {}),
        "parents": {
            role: {"path": str(path), "sha256": digest(path)}
            for role, path in (parents or {}).items()
        },
        "versions": versions(),
        "machine": machine(),
        **more,
    }
    write_json(folder / PROVENANCE, content)
    loaded: dict[str, Any] = json.loads((folder / PROVENANCE).read_text())
    return loaded


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide about numbers."""
    names = ("ansatz-ai", "torch", "numpy", "scipy")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str | int]:
    """The machine, without naming it."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count() or 1,
    }


def processor() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
