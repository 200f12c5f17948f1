"""Many requests: read and written by several threads, evaluated one after the other, resumable.

Every finished item leaves a row `items/NAME.json` beside its fields, written last and whole; an item
whose row exists for the same request is not asked again. One bad input fails alone.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ansatz.core.artifacts import digest, write_json
from ansatz.core.recipe import Answer, Predictor
from ansatz.engine.forward import Forward

Row = dict[str, Any]


@dataclass(frozen=True)
class Item:
    """One request of a batch, and what became of it.

    Attributes:
        name: Of the item, unique in its batch.
        row: The summary of its answer, or `error` with the reason.
        is_new: Whether it was computed now.
    """

    name: str
    row: Row
    is_new: bool

    @property
    def failed(self) -> bool:
        """Whether there is no answer."""
        return "error" in self.row


def ask(predictor: Predictor[Any, Any, Any], request: object, forward: Forward) -> Answer:
    """One request, start to end."""
    encoded = predictor.encode(request)
    answer: Answer = predictor.decode(forward(encoded.tensors), encoded)
    return answer


def predict_all(
    predictor: Predictor[Any, Any, Any],
    requests: Mapping[str, object],
    forward: Forward,
    folder: Path,
    *,
    workers: int,
    salt: str = "",
    save: Callable[[str, Answer], object] | None = None,
) -> Iterator[Item]:
    """Answer many requests.

    Args:
        predictor: Of the model.
        requests: By name.
        forward: The forward pass to use.
        folder: Where `items` go; answers save their files beside it.
        workers: Threads that read and write.
        salt: What else an answer depends on, as the digest of the checkpoint.
        save: Writes more about an answer, as a picture.

    Yields:
        The items as they finish, in the order of the requests.
    """
    device = Lock()

    def one(name: str, request: object) -> Item:
        row_path = folder / "items" / f"{name}.json"
        key = request_digest(request, salt)
        if row_path.exists():
            known = json.loads(row_path.read_text())
            if known["request"] == key:
                return Item(name, known["row"], is_new=False)
        try:
            encoded = predictor.encode(request)
            with device:
                outputs = forward(encoded.tensors)
            answer: Answer = predictor.decode(outputs, encoded)
        except (ValueError, LookupError, OSError) as error:
            return Item(name, {"error": str(error)}, is_new=True)
        answer.save(folder, name)
        if save is not None:
            save(name, answer)
        row = answer.summary()
        write_json(row_path, {"request": key, "row": row})
        return Item(name, row, is_new=True)

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(one, requests, requests.values())


def request_digest(request: object, salt: str) -> str:
    """A hash of a request with the contents of the files that it names."""
    parts = [salt]
    for field in dataclasses.fields(request):  # type: ignore[arg-type]
        value = getattr(request, field.name)
        if isinstance(value, Path):
            value = digest(value) if value.exists() else str(value)
        elif isinstance(value, np.ndarray):
            value = hashlib.sha256(value.tobytes()).hexdigest()
        parts.append(f"{field.name}={value}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
