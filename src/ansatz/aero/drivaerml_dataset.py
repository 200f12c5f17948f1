"""DrivAerML as a data set: what is fetched of each run decides what can be done with it.

    stl, forces              check: coefficients against the CFD of 484 cars, in 70 GB
    stl, boundary, forces    train, and check fields, too; another 300 GB

`ansatz.aero.drivaerml_run` says how a run becomes a sample. Volumes (49 GB per run) are not read.

The split has the sizes of FluidsBench's `full` (400 train, 34 validation, 50 test), whose lists
are its own: here, runs are sorted by a digest of their number, and `validation_runs`, `test_runs`
take explicit lists.

In memory, a run takes 0.7 kB of features per face: 400 runs of 100,000 take 28 GB.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from annotated_types import Ge

from ansatz.aero.car import CarRequest
from ansatz.aero.cases import stored_cases
from ansatz.aero.drivaerml import RUNS, SOURCE, format_runs, manifest, parse_runs
from ansatz.aero.drivaerml_run import geometry_path, read_run
from ansatz.aero.halves import Draws, half_batches
from ansatz.aero.truth import CarTruth
from ansatz.core.recipe import Batches, Filled, Manifest, Sample, Split
from ansatz.store.samples import fill

TEST_SIZE: Final = 50
VALIDATION_SIZE: Final = 34


@dataclass(frozen=True)
class DrivAerML:
    """The runs of DrivAerML; the fields are options of `fetch` and `prepare`.

    Attributes:
        runs: As `1-100,205`, or `all`.
        kinds: Comma-separated kinds of files (`ansatz.aero.drivaerml.KINDS`). `stl` is needed, and
            `forces` or `boundary`, which is what training needs.
        source: The data set, or a copy of it, as `file:///data/drivaerml`.
        faces: Cells to keep of a solution, and of a geometry.
        validation_runs, test_runs: Runs of the split, as `runs`; empty takes the rule's. A run of
            the test split is in no other.
        draws: Points per half body in a batch. Nothing is known of the flow: one point says so.
    """

    runs: str = "all"
    kinds: str = "stl,forces"
    source: str = SOURCE
    faces: Annotated[int, Ge(1000)] = 100_000
    validation_runs: str = ""
    test_runs: str = ""
    draws: Draws = field(default_factory=lambda: Draws(volume=1))

    def manifest(self) -> Manifest:
        """What `fetch` may bring."""
        return manifest(self.runs, self.kinds, self.source)

    def fill(self, raw: Path, folder: Path) -> Filled:
        """Write the samples."""
        return fill(self.samples(raw), folder)

    def samples(self, raw: Path) -> Iterator[Sample]:
        """The runs whose geometry is in a raw directory; those that were not fetched are left out.

        Raises:
            FileNotFoundError: If there is none, or one with neither a solution nor forces.
            ValueError: If a file is damaged or is not of its run; the message names it.
            LookupError: If a solution lacks a field, or the data set has no such runs.
        """
        wanted = parse_runs(self.runs)
        present = [run for run in wanted if geometry_path(raw, run).exists()]
        if not present:
            raise FileNotFoundError(
                f"{raw} holds no run_*/drivaer_*.stl of the runs {format_runs(wanted)}. Bring "
                "them first: ansatz fetch aero/drivaerml"
            )
        validation, test = self.held_out()
        for run in present:
            split: Split = "validation" if run in validation else "train"
            split = "test" if run in test else split
            yield Sample(f"run_{run}", split, *read_run(raw, run, self.faces))

    def held_out(self) -> tuple[frozenset[int], frozenset[int]]:
        """The runs of the validation and of the test split.

        Raises:
            ValueError: If a run was asked for in both.
        """
        ruled = sorted(RUNS, key=digest)
        test = parse_runs(self.test_runs) if self.test_runs else ruled[:TEST_SIZE]
        if not self.validation_runs:
            rest = ruled[TEST_SIZE : TEST_SIZE + VALIDATION_SIZE]
            return frozenset(rest).difference(test), frozenset(test)
        validation = frozenset(parse_runs(self.validation_runs))
        if self.test_runs and validation.intersection(test):
            both = format_runs(validation.intersection(test))
            raise ValueError(f"runs {both} are in validation_runs and in test_runs: choose one")
        return validation.difference(test), frozenset(test)

    def batches(self, store: Path, split: Split, batch_size: int) -> Batches:
        """Batches of half bodies, as `ansatz.aero.halves` describes them."""
        return half_batches(store, split, batch_size, self.draws)

    def cases(self, store: Path, split: Split) -> Iterator[tuple[str, CarRequest, CarTruth]]:
        """Requests about the geometries, with what is known of their flow as the truth."""
        return stored_cases(store, split)


def digest(run: int) -> str:
    """Sorts runs without regard to their order in the design space."""
    return hashlib.sha256(f"DrivAerML run {run}".encode()).hexdigest()
