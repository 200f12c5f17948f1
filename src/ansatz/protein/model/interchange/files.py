"""Tensors out of the files in which libraries keep checkpoints."""

import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

# In the order of trust: pickles come last, and are opened for tensors only.
WHOLE = ("model.safetensors", "pytorch_model.bin")
IN_PARTS = ("model.safetensors.index.json", "pytorch_model.bin.index.json")


def tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a checkpoint.

    Args:
        path: A folder of Hugging Face's, or a file: .safetensors, .bin or .pt. Beside a
            `NAME.pt` of fair-esm, `NAME-contact-regression.pt` is read as well.

    Raises:
        FileNotFoundError: If there is no checkpoint.
    """
    if path.is_dir():
        return _of_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: give a folder or file of a checkpoint")
    found = _of_file(path)
    contacts = path.with_name(f"{path.stem}-contact-regression.pt")
    return found | (_of_file(contacts) if contacts.exists() else {})


def configuration(path: Path) -> dict[str, Any] | None:
    """What `config.json` in a folder, or beside a file, says; None if there is none."""
    beside = (path if path.is_dir() else path.parent) / "config.json"
    if not beside.exists():
        return None
    found: dict[str, Any] = json.loads(beside.read_text())
    return found


def _of_folder(folder: Path) -> dict[str, Tensor]:
    for name in WHOLE:
        if (folder / name).exists():
            return _of_file(folder / name)
    for name in IN_PARTS:
        if (folder / name).exists():
            parts = set(json.loads((folder / name).read_text())["weight_map"].values())
            return {k: t for part in sorted(parts) for k, t in _of_file(folder / part).items()}
    raise FileNotFoundError(
        f"{folder} holds no checkpoint: expected one of {', '.join(WHOLE + IN_PARTS)}"
    )


def _of_file(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    with torch.serialization.safe_globals([Namespace]):  # in which fair-esm keeps its options
        held = torch.load(path, map_location="cpu", weights_only=True)
    inner = held["model"] if isinstance(held.get("model"), Mapping) else held
    return {name: value for name, value in inner.items() if isinstance(value, Tensor)}
