"""Many requests: read and written by several threads, evaluated one after the other, resumable.

Every finished item leaves a row `items/NAME.json` beside its files, written last and whole; an item
whose row and files exist for the same request is not asked again. One bad input fails alone.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from torch import Tensor

from ansatz.core.artifacts import digest, write_json
from ansatz.core.recipe import Answer, Predictor

Row = dict[str, Any]


@dataclass(frozen=True)
class Item:
    """One request of a batch, and what became of it.

    Attributes:
        name: Of the item, unique in its batch.
        row: The summary of its answer, or `error` with the reason.
        is_new: Whether it was computed now.
        of: How many the batch has.
    """

    name: str
    row: Row
    is_new: bool
    of: int = 1

    @property
    def failed(self) -> bool:
        """Whether there is no answer."""
        return "error" in self.row


def predict_all(
    predictor: Predictor[Any, Any, Any],
    requests: Mapping[str, object],
    folder: Path,
    *,
    workers: int,
    salt: str = "",
) -> Iterator[Item]:
    """Answer many requests.

    Args:
        predictor: Of the model.
        requests: By name.
        folder: Where `items` go; answers save their files beside it.
        workers: Threads that read and write.
        salt: What else an answer depends on, as the digest of the checkpoint.

    Yields:
        The items as they finish, in the order of the requests.
    """
    device, count = Lock(), len(requests)

    def one(name: str, request: object) -> Item:
        row_path = folder / "items" / f"{name}.json"
        try:
            key = request_digest(request, salt)
            row = finished(row_path, key)
            if row is not None:
                return Item(name, row, is_new=False, of=count)
            encoded = predictor.encode(request)
            with device:
                outputs = predictor.forward(encoded.tensors)
            answer: Answer = predictor.decode(outputs, encoded)
        except (ValueError, LookupError, OSError) as error:
            return Item(name, {"error": str(error)}, is_new=True, of=count)
        row = answer.summary()
        files = [str(path.relative_to(folder)) for path in answer.save(folder, name)]
        write_json(row_path, {"request": key, "row": row, "files": files})
        return Item(name, row, is_new=True, of=count)

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(one, requests, requests.values())


def finished(row_path: Path, key: str) -> Row | None:
    """The row of an item that was answered before; None if it has to be asked.

    Args:
        row_path: Of the item, in the folder `items` of the answers.
        key: Digest of the request.
    """
    if not row_path.exists():
        return None
    known = json.loads(row_path.read_text())
    folder = row_path.parent.parent
    if known["request"] != key or not all((folder / name).exists() for name in known["files"]):
        return None
    row: Row = known["row"]
    return row


def request_digest(request: object, salt: str) -> str:
    """A hash of a request with the contents of the files and arrays that it names."""
    return hashlib.sha256(f"{salt}\n{content(request)}".encode()).hexdigest()


def content(value: object) -> str:
    """What a value is, with digests in place of files, bytes, arrays and tensors."""
    if isinstance(value, Path):
        return digest(value) if value.exists() else str(value)
    if isinstance(value, Tensor):
        return content(value.detach().cpu().numpy())
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        inner = {f.name: content(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return f"{type(value).__qualname__}{inner}"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(content, value))})"
    return repr(value)
