"""The network of a training run: its shape from the provenance, its weights beside it."""

import json
from collections.abc import Set
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ansatz.core.artifacts import PROVENANCE

WEIGHTS = "model.safetensors"
Network = TypeVar("Network", bound=nn.Module, covariant=True)


class Shape(Protocol[Network]):
    """The shape of a network: a dataclass."""

    def build(self) -> Network:
        """The network with fresh weights."""


def trained(folder: Path, shape: type[Shape[Network]], subject: str) -> Network:
    """The network of a training run, in evaluation mode.

    Args:
        folder: Of the run.
        shape: The dataclass that the provenance holds as the recipe's model.
        subject: Whose shape that is, for errors.

    Raises:
        FileNotFoundError: If the folder holds no checkpoint.
        ValueError: If it is of another kind of network, or damaged.
    """
    require_run(folder)
    config: Shape[Network] = read_shape(folder / PROVENANCE, shape, subject)
    network = config.build()
    load_weights(network, folder)
    return network.eval()


def require_run(folder: Path) -> None:
    """Refuse a folder that no training run ended in.

    Raises:
        FileNotFoundError: If there is no checkpoint or nothing says of what.
    """
    for name in (WEIGHTS, PROVENANCE):
        if not (folder / name).exists():
            raise FileNotFoundError(f"{folder} has no {name}: it is no finished training run")


def load_weights(network: nn.Module, folder: Path) -> None:
    """Give a network the weights of a training run.

    Raises:
        ValueError: If they are of another shape, or damaged.
    """
    path = folder / WEIGHTS
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}. Restore it") from error
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    if expected != found:
        odd = sorted({name for name, _ in expected.items() ^ found.items()})
        raise ValueError(
            f"{path} does not fit the network in {PROVENANCE}: {len(odd)} tensors differ, the "
            f"first is {odd[0]}. Train again, or restore the folder"
        )
    network.load_state_dict(weights)


def read_shape(path: Path, shape: type[Any], subject: str) -> Any:
    """The shape of the network that a provenance file describes.

    Raises:
        ValueError: If it describes none of this kind.
    """
    said = json.loads(path.read_text()).get("recipe", {}).get("model", {})
    known = {field.name for field in fields(shape)}
    if not said or not known.issuperset(said):
        raise ValueError(
            f"{path} describes the network by {_words(set(said))}; expected {_words(known)}: it is "
            f"no checkpoint of {subject}, or of another version"
        )
    return shape(**said)


def _words(names: Set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
