"""DrivAerML: 484 cars with scale-resolving CFD, and which of their files to fetch.

The data set (Ashton et al. 2024, arXiv:2408.11969; CC-BY-SA-4.0) holds 500 morphs of the notchback
DrivAer, of which 16 are withheld, in a folder per run:

    run_i/drivaer_i.stl                geometry, several solids, m; about 140 MB
    run_i/boundary_i.vtp               fields on the surface; about 660 MB
    run_i/volume_i.vtu.NN.part         pieces of the volume, to be concatenated; about 49 GB
    run_i/force_mom_i.csv              coefficients with the reference values of this car
    run_i/force_mom_constref_i.csv     coefficients with constant reference values
    run_i/geo_ref_i.csv                reference values of this car
    run_i/geo_parameters_i.csv         the 16 parameters of the morph
    run_i/images/, run_i/slices/       pictures; planes as .vtp

and tables of all runs at its root. `ansatz.aero.drivaerml_tables` reads coefficients and reference
values of a run.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import groupby
from typing import Final

from ansatz.aero.stream import FreeStream
from ansatz.core.recipe import Manifest, RemoteFile

SOURCE: Final = "hf://datasets/neashton/drivaerml@main"
LICENSE: Final = "CC-BY-SA-4.0"

STREAM: Final = FreeStream(speed=38.89, density=1.0, viscosity=1.5e-5)
"""140 km/h; fields are kinematic, so forces count as for a density of 1 kg/m³."""

LAST_RUN: Final = 500
MISSING_RUNS: Final = frozenset(
    (167, 211, 218, 221, 248, 282, 291, 295, 316, 325, 329, 364, 370, 376, 403, 473)
)
"""Withheld for blind studies, says the data set's README."""

RUNS: Final = tuple(run for run in range(1, LAST_RUN + 1) if run not in MISSING_RUNS)

# A force without its reference values is no coefficient, so `forces` brings both.
_KINDS: Final = {
    "stl": ("drivaer_{run}.stl",),
    "boundary": ("boundary_{run}.vtp",),
    "volume": ("volume_{run}.vtu.*.part",),
    "forces": ("force_mom_{run}.csv", "force_mom_constref_{run}.csv", "geo_ref_{run}.csv"),
    "parameters": ("geo_parameters_{run}.csv",),
    "images": ("images/*",),
    "slices": ("slices/*",),
}
_TABLES: Final = ("force_mom_all.csv", "force_mom_constref_all.csv", "geo_parameters_all.csv")
KINDS: Final = (*_KINDS, "tables")


def manifest(runs: str = "all", kinds: str = "stl,forces", source: str = SOURCE) -> Manifest:
    """The files of some runs and kinds.

    Args:
        runs: As `1-100,205`, or `all`.
        kinds: Comma-separated names of `KINDS`.
        source: Address of the data set.

    Raises:
        ValueError: If the runs cannot be read.
        LookupError: If a run or a kind does not exist; the message offers what does.
    """
    chosen, numbers = parse_kinds(kinds), parse_runs(runs)
    files = [
        RemoteFile(f"run_{run}/{name.format(run=run)}", f"run_{run}")
        for run in numbers
        for kind in chosen
        for name in _KINDS.get(kind, ())
    ]
    if "tables" in chosen:
        files += [RemoteFile(name, "tables") for name in _TABLES]
    return Manifest(source, tuple(files), LICENSE)


def parse_kinds(text: str) -> tuple[str, ...]:
    """Read comma-separated kinds, each once.

    Raises:
        LookupError: If one is unknown; the message offers the nearest.
    """
    kinds = tuple(dict.fromkeys(kind.strip() for kind in text.split(",")))
    for kind in kinds:
        if kind not in KINDS:
            near = get_close_matches(kind, KINDS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise LookupError(
                f"DrivAerML has no kind of file {kind!r}: {hint}Kinds are {', '.join(KINDS)}"
            )
    return kinds


def parse_runs(text: str) -> tuple[int, ...]:
    """Read run numbers and ranges, as `1-100,205`, or `all`.

    Returns:
        The numbers in ascending order, each once.

    Raises:
        ValueError: If a part is neither a number nor an ascending range.
        LookupError: If a run does not exist. None is dropped silently; the message says which
            are not public and how to ask for the rest.
    """
    if text.strip().lower() == "all":
        return RUNS
    numbers: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last:
            raise ValueError(
                f"cannot read the runs {part.strip()!r} of {text!r}: expected a number, an "
                "ascending range as 1-100, several of them separated by commas, or all"
            )
        # One beyond the last is enough to be named: nobody waits for 1-999999999.
        numbers.update(range(first, min(last, max(first, LAST_RUN + 1)) + 1))
    _require_public(numbers)
    return tuple(sorted(numbers))


def format_runs(runs: Iterable[int]) -> str:
    """Write run numbers as `parse_runs` reads them: 1-3,7."""
    ordered = sorted(set(runs))
    ranges = []
    # In a range, number and position rise together, so that their difference is constant.
    for _, members in groupby(enumerate(ordered), lambda pair: pair[1] - pair[0]):
        numbers = [run for _, run in members]
        ranges.append(str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}")
    return ",".join(ranges)


def _require_public(numbers: set[int]) -> None:
    unknown = sorted(numbers.difference(RUNS))
    if unknown:
        rest = format_runs(numbers.intersection(RUNS))
        advice = f"Ask for runs={rest}" if rest else f"Its runs are {format_runs(RUNS)}"
        raise LookupError(
            f"DrivAerML has no public runs {format_runs(unknown)}: of 1-{LAST_RUN}, "
            f"{len(MISSING_RUNS)} are withheld. {advice}"
        )
