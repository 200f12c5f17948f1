"""Stored samples as cases: a question as a user would ask it, and the fine fields as its truth."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansatz.core.recipe import Split
from ansatz.store.samples import Store
from ansatz.weather.answer import Truth
from ansatz.weather.inputs import Fields
from ansatz.weather.request import Question


def stored_cases(store: Path, split: Split) -> Iterator[tuple[str, Question, Truth]]:
    """Names, questions about whole fields, and what was.

    Args:
        store: Of the samples.
        split: To take.
    """
    samples = Store(store)
    for name in samples.names(split):
        arrays, meta = samples.load(name), samples.meta(name)
        truth = Truth(arrays["fine"], meta["time"], meta["region"], meta["member"], store)
        yield name, Question(stored_fields(arrays, meta)), truth


def stored_fields(arrays: dict[str, Any], meta: dict[str, Any]) -> Fields:
    """What a question holds of a sample: all but the truth."""
    return Fields(
        coarse=arrays["coarse"],
        static=arrays["static"],
        time=meta["time"],
        region=meta["region"],
        lat=arrays.get("lat"),
        lon=arrays.get("lon"),
        lead=meta["lead"],
        place=(meta["row"], meta["col"]),
    )
