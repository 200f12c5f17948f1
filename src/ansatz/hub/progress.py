"""How a transfer shows that it moves: a bar on a terminal, a line per tenth elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn
from rich.progress import TransferSpeedColumn as SpeedColumn


@contextmanager
def meter(total: int, shown: bool) -> Iterator[Callable[[int], None]]:
    """Show bytes on stderr as they arrive.

    Args:
        total: Bytes to expect.
        shown: Whether to show anything.

    Yields:
        A function that takes the number of bytes that just arrived, from any thread.
    """
    if not shown or not total:
        yield lambda count: None
    elif sys.stderr.isatty():
        columns = (BarColumn(), DownloadColumn(), SpeedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("fetch", total=total)
            yield lambda count: bar.advance(task, count)
    else:
        yield _lines(total)


def _lines(total: int) -> Callable[[int], None]:
    lock, done, told = Lock(), 0, 0

    def advance(count: int) -> None:
        nonlocal done, told
        with lock:
            done += count
            tenths = min(10, 10 * done // total)
            if tenths > told:
                told = tenths
                print(f"fetched {10 * tenths} % of {total / 1e6:.1f} MB", file=sys.stderr)

    return advance
