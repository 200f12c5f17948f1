"""Making the store of a recipe, and knowing one that can be used.

The provenance of a store is written last. It says which settings of the data and which raw files
the samples were made of, so that neither a half-made store nor an outdated one passes for current.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from ansatz.core.artifacts import PROVENANCE, Parent, read_provenance, write_provenance
from ansatz.core.places import fingerprint
from ansatz.core.recipe import Recipe

log = logging.getLogger("ansatz")


def make_store(recipe: Recipe, raw: Parent, folder: Path, given: Mapping[str, object]) -> Path:
    """Fill a store from raw files, and write its provenance when all is there.

    Args:
        recipe: Whose data it is.
        raw: The raw files.
        folder: Of the store.
        given: Overrides of the recipe, for the provenance.

    Returns:
        The folder.

    Raises:
        ValueError: If something else than samples lies there; nothing is touched then.
    """
    log.info("preparing %s", recipe.name)
    filled = recipe.data.fill(raw.path, folder)
    write_provenance(
        folder,
        recipe,
        overrides=given,
        parents={"raw": raw},
        samples=filled.samples,
        content=filled.sha256,
        data=fingerprint(recipe.data),
    )
    log.info("%d samples in %s", filled.samples, folder)
    return folder


def is_made_of(raw: Parent, folder: Path) -> bool:
    """Whether a folder holds a finished store of just these raw files."""
    known = read_provenance(folder)
    if known is None or "content" not in known:
        return False
    return bool(known["parents"]["raw"]["sha256"] == raw.sha256)


def finished_store(recipe: Recipe, folder: Path) -> Path:
    """The folder of a store that can be used.

    Raises:
        FileNotFoundError: If there is none, or it is unfinished.
        ValueError: If it was made with other settings of the data.
    """
    known = read_provenance(folder)
    if known is None or "content" not in known:
        raise FileNotFoundError(
            f"{folder} holds no finished store of {recipe.name}. Make it with the same options: "
            f"ansatz prepare {recipe.name}"
        )
    if known["data"] != fingerprint(recipe.data):
        raise ValueError(
            f"{folder} was made with other settings of the data, see {PROVENANCE} there. Give the "
            f"same ones, or make another store: ansatz prepare {recipe.name} --out DIR"
        )
    return folder


def store_parent(folder: Path) -> Parent:
    """A finished store as what something is made of."""
    known = read_provenance(folder) or {}
    return Parent(folder, known["content"])
