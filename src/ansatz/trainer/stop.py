"""Being asked to stop: a signal becomes a flag that the loop looks at between two steps.

Slurm sends SIGUSR1 or SIGTERM before the time limit or a preemption, Kubernetes and torchrun send
SIGTERM. Each leaves time to save.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


@dataclass
class StopRequest:
    """Whether somebody asked the run to stop, and by which signal."""

    signal: str = ""


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Note SIGTERM and SIGUSR1 for the time of a `with` block, in place of dying of them.

    Python lets only the main thread handle signals; in any other, nothing is noted.
    """
    request = StopRequest()

    def note(number: int, _frame: FrameType | None) -> None:
        request.signal = signal.Signals(number).name

    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
