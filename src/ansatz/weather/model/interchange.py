"""Weights of NVIDIA's CorrDiff networks (PhysicsNeMo 1.x and 2.x) as weights of ours.

Taken over are `SongUNet` and `SongUNetPosEmbd` with standard encoder and decoder, also inside
`CorrDiffRegressionUNet` and `EDMPrecondSuperResolution`. Blocks go by the same order under other
names; what else differs:

* The regression network takes channels of zeros before its condition. Their weights are left out.
* Queries, keys and values are interleaved there, channel by channel, and follow each other here.
* Box filters are stored there, and computed here.

The second stage of CorrDiff has no scale of the residual (ours is one then) and σ_d = 0.5. A
`.mdlus` file is a zip or tar archive with the weights in `model.pt`; nothing in it is executed.
"""

import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ansatz.weather.model.stages import MeanStage, ResidualStage
from ansatz.weather.model.unet import UNet

WEIGHTS = "model.pt"
Weights = Mapping[str, Tensor]
FIXED = ("resample_filter", "freqs")  # ends of the names of what is no weight here
# Names inside a block, theirs and ours.
BLOCK = {
    "norm0": "norm1",
    "conv0": "conv1",
    "affine": "shift",
    "norm1": "norm2",
    "conv1": "conv2",
    "skip": "skip",
    "attn.norm": "attention.norm",
    "attn.qkv": "attention.queries_keys_values",
    "attn.proj": "attention.project",
    # Before blocks had a part of their own for attention:
    "norm2": "attention.norm",
    "qkv": "attention.queries_keys_values",
    "proj": "attention.project",
}
LEARNED = "position.maps"
OTHERS = {"map_layer0": "embedding.hidden", "map_layer1": "embedding.out"}


def read_mdlus(path: Path) -> dict[str, Tensor]:
    """The weights in a file of PhysicsNeMo.

    Raises:
        ValueError: If it is no such file.
    """
    data = _member(path)
    found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return {name.removeprefix("module."): value for name, value in found.items()}


def load_mean(stage: MeanStage, weights: Weights) -> None:
    """Give a first stage the weights of a `CorrDiffRegressionUNet`.

    Raises:
        ValueError: If they are those of another shape.
    """
    load_unet(stage.network, weights, skipped=stage.config.num_outputs)


def load_residual(stage: ResidualStage, weights: Weights) -> None:
    """Give a second stage, without its first, the weights of an `EDMPrecondSuperResolution`.

    Raises:
        ValueError: If they are those of another shape.
    """
    load_unet(stage.network, weights)


def load_unet(network: UNet, weights: Weights, skipped: int = 0) -> None:
    """Give a network the weights of a `SongUNetPosEmbd`.

    Args:
        network: It is changed.
        weights: By PhysicsNeMo's names.
        skipped: Input channels, the first ones, that are always zero there and not given here.

    Raises:
        ValueError: If they are those of another shape.
    """
    found = {name.removeprefix("model."): value for name, value in weights.items()}
    ours = dict(_renamed(found))
    first = ours.get("first.weight")
    if first is not None:
        ours["first.weight"] = first[:, skipped:]
    if network.shape.position == "sinusoidal":
        ours.pop(LEARNED, None)  # some versions store what is computed here
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in ours.items()}
    if expected != given:
        odd = sorted(expected.items() ^ given.items())
        name = odd[0][0]
        raise ValueError(
            f"{len({key for key, _ in odd})} tensors do not fit, first {name}: the network "
            f"has {expected.get(name, 'none')} and the file {given.get(name, 'none')}. Choose the "
            "shape that the file was trained with"
        )
    network.load_state_dict(ours)


def _renamed(weights: Weights) -> Iterator[tuple[str, Tensor]]:
    """The weights by our names."""
    blocks = _places(weights)
    for name, value in weights.items():
        if name.endswith(FIXED):
            continue
        layer, _, end = name.rpartition(".")
        parts = layer.split(".", 2)
        if layer in OTHERS:
            yield f"{OTHERS[layer]}.{end}", value
        elif len(parts) < 2:
            yield LEARNED if name == "pos_embd" else name, value
        elif "aux" in parts[1]:
            yield f"{'norm' if parts[1].endswith('norm') else 'last'}.{end}", value
        elif parts[1].endswith("_conv"):
            yield f"first.{end}", value
        else:
            ours = BLOCK.get(parts[2], parts[2])
            kept = _in_thirds(value) if ours.endswith("queries_keys_values") else value
            yield f"{blocks[parts[0], parts[1]]}.{ours}.{end}", kept


def _places(weights: Weights) -> dict[tuple[str, str], str]:
    """Where each block stands here, by the names of its way and of itself."""
    found: dict[tuple[str, str], str] = {}
    counts = {"enc": 0, "dec": 0}
    ours = {"enc": "encoder", "dec": "decoder"}
    for name in weights:
        way, _, rest = name.partition(".")
        block = rest.partition(".")[0]
        if way not in counts or "aux" in block or block.endswith("_conv"):
            continue
        if (way, block) not in found:
            found[way, block] = f"{ours[way]}.{counts[way]}"
            counts[way] += 1
    return found


def _in_thirds(value: Tensor) -> Tensor:
    """Queries, keys and values one after another, from channels that hold all three."""
    return value.reshape(-1, 3, *value.shape[1:]).transpose(0, 1).flatten(0, 1)


def _member(path: Path) -> bytes:
    """The bytes of the weights in an archive."""
    # In this order: a tar archive that ends in weights of torch, a zip, looks like a zip as well.
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as bundle:
            for item in bundle:
                file = bundle.extractfile(item) if Path(item.name).name == WEIGHTS else None
                if file is not None:
                    return file.read()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if Path(name).name == WEIGHTS:
                    return archive.read(name)
    raise ValueError(
        f"{path} is no model file of PhysicsNeMo: expected a zip or tar archive with {WEIGHTS}"
    )
