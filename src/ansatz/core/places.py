"""Where artifacts lie, unless `--out` says otherwise.

~/.cache/ansatz/RECIPE/raw           what fetch brought          ($ANSATZ_HOME moves it)
~/.cache/ansatz/RECIPE/store-HASH    what prepare made of it, per setting of the data
./runs/RECIPE/VERB                   what train, predict and check made
"""

import dataclasses
import hashlib
import os
from importlib.resources import files
from pathlib import Path

from ansatz.core.artifacts import plain
from ansatz.core.recipe import Dataset, Recipe


def home() -> Path:
    """The folder of fetched and prepared data."""
    return Path(os.environ.get("ANSATZ_HOME", "~/.cache/ansatz")).expanduser()


def raw_folder(recipe: Recipe) -> Path:
    """Where `fetch` puts files."""
    return home() / (recipe.shares or recipe.name) / "raw"


def store_folder(recipe: Recipe) -> Path:
    """Where `prepare` puts samples: another place for other settings of the data."""
    return home() / (recipe.shares or recipe.name) / f"store-{fingerprint(recipe.data)}"


def run_folder(recipe: Recipe, verb: str) -> Path:
    """Where a verb leaves its results."""
    return Path("runs") / recipe.name / verb


def shipped_folder(recipe: Recipe) -> Path:
    """The checkpoint that came with the distribution.

    Raises:
        FileNotFoundError: If none ships.
    """
    package, _, folder = recipe.shipped.partition("/")
    path = Path(str(files(package) / folder)) if package else Path()
    if not package or not path.is_dir():
        raise FileNotFoundError(
            f"no checkpoint of {recipe.name} ships. Train one: ansatz train {recipe.name}, then "
            f"name its folder: checkpoint={run_folder(recipe, 'train')}"
        )
    return path


def fingerprint(data: Dataset) -> str:
    """A short hash of what decides about the samples: the plain fields of a data set.

    Fields that are dataclasses themselves say how samples are drawn, and do not count.
    """
    values = {
        field.name: str(plain(getattr(data, field.name)))
        for field in dataclasses.fields(data)  # type: ignore[arg-type]
        if not dataclasses.is_dataclass(getattr(data, field.name))
    }
    text = f"{type(data).__qualname__} {sorted(values.items())}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]
