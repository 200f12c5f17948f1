"""Raw files as what a store is made of."""

import hashlib
from pathlib import Path

from ansatz.core.artifacts import Parent
from ansatz.hub.ledger import read_ledger


def raw_parent(raw: Path) -> Parent:
    """A raw folder, by the digests that fetch recorded.

    Files that were not fetched count by their names and sizes: reading 300 GB again to hash them
    takes longer than preparing them.
    """
    lines = [f"{path} {record.sha256}\n" for path, record in sorted(read_ledger(raw).items())]
    if not lines:
        paths = sorted(path for path in raw.rglob("*") if path.is_file())
        lines = [f"{path.relative_to(raw)} {path.stat().st_size}\n" for path in paths]
    return Parent(raw, hashlib.sha256("".join(lines).encode()).hexdigest())
