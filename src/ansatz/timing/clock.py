"""A clock that is fair on a shared machine: CPU seconds, repeated, the least and the median.

The wall clock of a shared machine measures its other users; the CPU seconds of a process do not. A
GPU's work is not in CPU seconds: there the wall clock counts, after a synchronization.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Timing:
    """Times of repeated calls.

    Attributes:
        least, median: Seconds of a call.
        repeats: Calls that were timed.
        unit: `CPU s`, or `s` on a GPU.
    """

    least: float
    median: float
    repeats: int
    unit: str


def timed(call: Callable[[], object], device: torch.device, repeats: int = 5) -> Timing:
    """Time a call; one more goes before, to warm up.

    Args:
        call: What to time.
        device: Where it works.
        repeats: How often.
    """
    on_gpu = device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    call()
    seconds = []
    for _ in range(repeats):
        if on_gpu:
            torch.cuda.synchronize(device)
        began = clock()
        call()
        if on_gpu:
            torch.cuda.synchronize(device)
        seconds.append(clock() - began)
    return Timing(min(seconds), statistics.median(seconds), repeats, "s" if on_gpu else "CPU s")
