"""What one asks: the ensemble of fine fields that a coarse one leaves open.

ansatz predict weather/uk2km coarse.nc members=16
ansatz predict weather/uk2km coarse.nc time=2017-06-05T15 sampler=heun steps=18
ansatz predict weather/uk2km coarse.nc static=relief.nc tile=128

A file is NetCDF: each input by its name, in the root or in the group `input`, as (time, y, x) or
(y, x); the static fields on the fine grid in the group `invariant`, of the same file or of
another. Patches in the layout of NVIDIA's CorrDiff-Mini are read as they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Lt

from ansatz.weather.inputs import Fields, Times, times_of

Sampler = Literal["multistep", "heun"]
SAMPLERS: tuple[Sampler, ...] = ("multistep", "heun")
SUFFIXES = (".nc", ".nc4")


@dataclass(frozen=True)
class Question:
    """A question about coarse weather.

    Attributes:
        input: A NetCDF file of coarse fields; of several times there is an answer to each.
        members: Of the ensemble. Member k is the same in an ensemble of any size.
        seed: Of the noise.
        sampler: Of a denoiser: second order with one evaluation of the network per step
            (`multistep`), or with two (`heun`).
        steps: Of the sampler. A network of velocities takes half as many, of two evaluations each;
            one that generates needs none.
        tile: Fine cells along the side of the tiles that the network sees at once; 0 for the whole
            domain, unless it is larger than 512 x 512 cells.
        static: A file of the static fields, if the input has none.
        time: Which times of the file are meant: the beginning of a date, as 2017-06-05T15.
        sample: Position of the time, or of the patch, in the file, from 0.
        first: Number of the first member.
    """

    input: Path | bytes | Fields
    members: Annotated[int, Ge(1)] = 8
    seed: Annotated[int, Ge(0), Lt(2**63)] = 0
    sampler: Sampler = "multistep"
    steps: Annotated[int, Ge(2)] = 9
    tile: Annotated[int, Ge(0)] = 0
    static: Path | None = None
    time: str = ""
    sample: Annotated[int, Ge(0)] | None = None
    first: Annotated[int, Ge(0)] = 0


def parts(question: Question) -> Iterator[tuple[str, Question]]:
    """Cut a question about a file of several times into questions about one each.

    Yields:
        What to append to a name, and the question; nothing is appended if there is only one.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no NetCDF file, or has no such time.
    """
    if isinstance(question.input, Fields) or question.sample is not None:
        yield "", question
        return
    times = times_of(question.input)
    chosen = times.starting(question.time)
    for place in chosen:
        ending = "" if len(chosen) == 1 else f"-{_ending(times, place)}"
        yield ending, replace(question, sample=place)


def _ending(times: Times, place: int) -> str:
    """The time as it can stand in a name of a file; the place where a time is not unique."""
    stamp = times.stamps[place]
    is_unique = stamp and times.stamps.count(stamp) == 1
    return stamp.replace("-", "").replace(":", "") if is_unique else f"{place:05}"
