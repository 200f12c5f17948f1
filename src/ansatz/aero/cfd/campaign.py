"""The data set of `aero/cars`: parametric cars, solved one by one and packed.

    python -m ansatz.aero.cfd.campaign OUT 1:131 801:816 901:916 --workers 2
    python -m ansatz.aero.cfd.campaign OUT 1:25 --fidelity coarse

writes `OUT/car_N.npz` for each car N (ranges exclude their end). Cars that are there already are
left alone, and a car that was stopped goes on, so the command can be repeated until all is done.
Case folders, 100 MB each, lie in `OUT/cases` while they are needed. A car fails alone: its folder
is kept with the logs, and the others go on.

Numbers decide the split (`ansatz.aero.dataset.split_of`).
"""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from ansatz.aero.cfd.openfoam import solve
from ansatz.aero.compact import pack
from ansatz.aero.geometry.parametric import car_solids, sample_car
from ansatz.aero.stream import FreeStream


@dataclass(frozen=True)
class Fidelity:
    """How carefully a car is solved.

    Attributes:
        cells_per_length: Cubes of the background mesh along the car.
        iterations: At most.
    """

    cells_per_length: float
    iterations: int


FIDELITIES = {
    "fine": Fidelity(10.0, 240),  # 250,000 cells, 2 to 3 CPU minutes
    "coarse": Fidelity(7.0, 240),  # 100,000 cells, 1 to 2 CPU minutes
}


def solve_car(number: int, out: Path, fidelity: Fidelity) -> Path:
    """Solve one car and pack it.

    Args:
        number: Of the car, as in `sample_car`.
        out: Folder of the data set.
        fidelity: Mesh and iterations.

    Returns:
        `out/car_N.npz`; if it exists, nothing is computed.

    Raises:
        LookupError: If OpenFOAM is not installed.
        OSError: If one of its utilities fails.
    """
    packed = out / f"car_{number}.npz"
    if packed.exists():
        return packed
    car, folder = sample_car(number), out / "cases" / f"car_{number}"
    flow = solve(
        car_solids(car),
        FreeStream(speed=car.speed),
        folder,
        cells_per_length=fidelity.cells_per_length,
        iterations=fidelity.iterations,
    )
    pack(flow, packed, {"number": number, **asdict(car)})
    shutil.rmtree(folder)
    return packed


def solve_cars(
    numbers: Sequence[int], out: Path, fidelity: Fidelity, workers: int = 1
) -> Iterator[tuple[int, Path | OSError]]:
    """Solve cars, several at a time, one core each.

    Yields:
        The number of each car as it is done, with its file or with what went wrong.
    """
    with ThreadPoolExecutor(workers) as pool:
        cars = {pool.submit(solve_car, number, out, fidelity): number for number in numbers}
        try:
            for future in as_completed(cars):
                failure = future.exception()
                if failure is not None and not isinstance(failure, OSError):
                    raise failure
                yield cars[future], failure or future.result()
        finally:
            # Interrupted: cars that wait in the queue are not begun any more.
            pool.shutdown(wait=False, cancel_futures=True)


def _numbers(text: str) -> range:
    """A number, or a range as `1:131`."""
    first, _, end = text.partition(":")
    return range(int(first), int(end) if end else int(first) + 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign; returns 1 if a car has failed."""
    parser = argparse.ArgumentParser(prog="python -m ansatz.aero.cfd.campaign", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("out", type=Path, help="folder of the data set")
    parser.add_argument("cars", type=_numbers, nargs="+", help="numbers, as 7 or 1:131")
    parser.add_argument("--fidelity", choices=FIDELITIES, default="fine")
    parser.add_argument("--workers", type=int, default=1, help="cars at a time, one core each")
    options = parser.parse_args(arguments)
    numbers = [number for cars in options.cars for number in cars]
    failed = 0
    for number, result in solve_cars(
        numbers, options.out, FIDELITIES[options.fidelity], options.workers
    ):
        failed += isinstance(result, OSError)
        print(f"car {number}: {result}", file=sys.stderr, flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
