"""The data of a problem: collocation points to train on, and what is known to check against.

Nothing is fetched. `prepare` computes the known solutions, each a sample of the test split.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ansatz.core.recipe import Batches, Filled, Manifest, Sample, Split
from ansatz.pde.collocation import collocation
from ansatz.pde.problem import Problem
from ansatz.pde.request import FieldRequest
from ansatz.pde.sampling import Sampling
from ansatz.pde.truth import Truth
from ansatz.store.samples import Store, fill

PLACE, FIELD = "at.", "field."


@dataclass(frozen=True)
class Collocation:
    """Points of a problem, and its known solutions.

    Attributes:
        problem: To solve.
        truths: Computes what is known.
        sampling: How points are chosen and terms weighted.
    """

    problem: Problem
    truths: Callable[[], Sequence[Truth]]
    sampling: Sampling = field(default_factory=Sampling)

    def manifest(self) -> Manifest:
        """No files: everything is computed."""
        return Manifest(source="embedded:ansatz.pde", files=())

    def fill(self, raw: Path, folder: Path) -> Filled:
        """Write the samples."""
        return fill(self.samples(raw), folder)

    def samples(self, raw: Path) -> Iterator[Sample]:
        """The known solutions."""
        for truth in self.truths():
            arrays = {PLACE + name: values for name, values in truth.place.items()}
            arrays |= {FIELD + name: values for name, values in truth.fields.items()}
            meta = {
                "source": truth.source,
                "bounds": dict(truth.bounds),
                "grid": list(truth.grid),
                "free": list(truth.free),
                "numbers": dict(truth.numbers),
            }
            yield Sample(truth.name, "test", arrays, meta)

    def batches(self, store: Path, split: Split, batch_size: int) -> Batches:
        """Collocation points; the numbers of the conditions times the batch size."""
        return collocation(self.problem, batch_size, self.sampling)

    def cases(self, store: Path, split: Split) -> Iterator[tuple[str, Any, Truth]]:
        """Requests at the points of each known solution, and the solution."""
        samples = Store(store)
        for name in samples.names(split):
            truth = stored_truth(samples, name, self.problem.inputs)
            points = np.stack(list(truth.place.values()), 1)
            yield name, FieldRequest(points, truth.grid), truth


def stored_truth(samples: Store, name: str, inputs: Sequence[str]) -> Truth:
    """A known solution from a sample; a store sorts names, and a grid is in the order of inputs."""
    arrays, meta = samples.load(name), samples.meta(name)
    fields = {
        key.removeprefix(FIELD): np.asarray(values, np.float64)
        for key, values in arrays.items()
        if key.startswith(FIELD)
    }
    return Truth(
        name,
        {name: np.asarray(arrays[PLACE + name], np.float64) for name in inputs},
        fields,
        meta["source"],
        meta["bounds"],
        tuple(meta["grid"]),
        tuple(meta["free"]),
        meta["numbers"],
    )
