"""Engines that were built, on disk: found by what decides about them, and never believed blindly.

A file is a line of JSON and the engine. The line holds the key in full, the engine's size and its
sha256. A file that is cut, has other bytes or another key is no engine: it is built again. Files
appear whole or not at all.
"""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx
import torch
from torch import Tensor

from ansatz.core.artifacts import atomic, processor

FORMAT = 1  # of the files


@dataclass(frozen=True)
class Key:
    """What decides about an engine.

    Attributes:
        graph: Hash of nodes and shapes, before the precision is put in.
        weights: Hash of all constants.
        example: Shapes and types of the inputs.
        calibration: Hash of the numbers that scales come from.
        precision: Its name.
        backend: Who builds.
        target: For which device: an SM, or a processor.
        options: What else was asked of the builder.
        versions: Of everything that took part.
    """

    graph: str
    weights: str
    example: tuple[str, ...]
    calibration: str
    precision: str
    backend: str
    target: str
    options: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The name of the file."""
        text = json.dumps(asdict(self) | {"format": FORMAT}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def key(
    graph: onnx.ModelProto,
    batches: Sequence[Sequence[Tensor]],
    *,
    precision: str,
    backend: str,
    target: str,
    versions: Mapping[str, str],
    options: Mapping[str, str] | None = None,
) -> Key:
    """The key of an engine.

    Args:
        graph: As exported.
        batches: The example, and what else scales come from.
        precision: Its name.
        backend: Who builds.
        target: For which device.
        versions: Of the builder; those of torch and onnx are added.
        options: What else was asked of the builder.
    """
    bare = onnx.ModelProto()
    bare.CopyFrom(graph)
    weights = hashlib.sha256()
    for constant in sorted(bare.graph.initializer, key=lambda c: c.name):
        weights.update(constant.SerializeToString(deterministic=True))
    del bare.graph.initializer[:]
    for node in bare.graph.node:
        # Where the exporter saw it: line numbers of a file, not what is computed.
        del node.metadata_props[:]
    numbers = hashlib.sha256()
    for tensor in (t for batch in batches for t in batch):
        numbers.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    known = {"torch": torch.__version__, "onnx": onnx.__version__}
    return Key(
        hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest(),
        weights.hexdigest(),
        tuple(f"{t.dtype} {tuple(t.shape)}" for t in batches[0]),
        numbers.hexdigest(),
        precision,
        backend,
        f"{processor()} {platform.machine()}" if target == "cpu" else target,
        dict(options or {}),
        known | dict(versions),
    )


def store(folder: Path, wanted: Key, engine: bytes) -> Path:
    """Keep an engine; the path of its file."""
    path = folder / f"{wanted.digest}.engine"
    head = {
        "key": asdict(wanted),
        "format": FORMAT,
        "bytes": len(engine),
        "sha256": hashlib.sha256(engine).hexdigest(),
    }
    with atomic(path) as part, part.open("wb") as file:
        file.write(json.dumps(head, sort_keys=True).encode() + b"\n")
        file.write(engine)
    return path


def stored(folder: Path, wanted: Key) -> bytes | None:
    """An engine that was built for this key; None if there is none, or its file is not whole."""
    path = folder / f"{wanted.digest}.engine"
    if not path.exists():
        return None
    head, _, engine = path.read_bytes().partition(b"\n")
    try:
        said = json.loads(head)
    except ValueError:
        return None
    ours = json.loads(json.dumps(asdict(wanted)))
    if not isinstance(said, dict) or said.get("key") != ours or said.get("format") != FORMAT:
        return None
    is_whole = said.get("sha256") == hashlib.sha256(engine).hexdigest()
    return engine if is_whole and said.get("bytes") == len(engine) else None
