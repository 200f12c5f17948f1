"""What a run measures about itself, without slowing it down.

Losses stay on the device, one small tensor per step, until a reading brings a whole interval to
the host in one transfer. That transfer is the only time the host waits for the device, so it also
bounds the clock: the rate of an interval is its samples over the time between two readings. On a
GPU the time of single steps is measured by events on the device; the host only queues work there.
"""

import math
import resource
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import torch

from ansatz.core.recipe import Loss, TrainConfig
from ansatz.trainer.distributed import World, average
from ansatz.trainer.graph import Batch


@dataclass(frozen=True)
class Reading:
    """What was measured since the reading before.

    Attributes:
        step: Steps taken so far.
        loss: Mean over the steps and ranks.
        terms: The means of the loss's terms.
        learning_rate: Of the last step.
        items_per_second: Samples of all ranks over elapsed time; a batch has as many as the
            leading axis of its first tensor.
        step_seconds: Median and 95th percentile of the time of a step of this process.
        data_share: Share of the time that this process spent on making batches.
        memory_bytes: Largest memory so far: allocated on the GPU, or resident on the host.
    """

    step: int
    loss: float
    terms: dict[str, float]
    learning_rate: float
    items_per_second: float
    step_seconds: tuple[float, float]
    data_share: float
    memory_bytes: int

    def record(self) -> dict[str, float | int]:
        """The measurements as one flat row, for a log."""
        return {
            "step": self.step,
            "loss": self.loss,
            **self.terms,
            "learning_rate": self.learning_rate,
            "items_per_second": self.items_per_second,
            "step_seconds_p50": self.step_seconds[0],
            "step_seconds_p95": self.step_seconds[1],
            "data_share": self.data_share,
            "memory_bytes": self.memory_bytes,
        }


class Meters:
    """Collects the losses and times of the steps since the last reading.

    Only the last `log_every` steps are kept, so a caller that never reads costs no memory.
    """

    def __init__(self, config: TrainConfig, device: torch.device, world: World) -> None:
        self._config = config
        self._device = device
        self._world = world
        self._losses: deque[tuple[int, Loss]] = deque(maxlen=config.log_every)
        self._on_gpu = device.type == "cuda"
        self._ticks: deque[float] = deque(maxlen=config.log_every + 1)
        self._events: deque[torch.cuda.Event] = deque(maxlen=config.log_every + 1)
        self._restart()

    def stepped(self, number: int, loss: Loss, data_seconds: float) -> None:
        """Count a step and the time that its batches took; keep its losses, on the device."""
        self._losses.append((number, loss))
        self._data_seconds += data_seconds
        self._steps += 1
        self._mark()

    def check(self) -> tuple[float, dict[str, float]]:
        """Bring the kept losses to the host and look at them; every rank must take part.

        Returns:
            The mean loss and the means of its terms, over steps and ranks.

        Raises:
            ValueError: If the loss of a step was not finite on any rank.
        """
        names = list(self._losses[-1][1].terms)
        columns = [[loss.total for _, loss in self._losses]]
        columns += [[loss.terms[n] for _, loss in self._losses if n in loss.terms] for n in names]
        # One transfer, and the arithmetic in Python: on tensors it took twice as long.
        stacked = torch.stack([value for column in columns for value in column])
        values = iter(average(stacked, self._world).tolist())
        rows = [list(islice(values, len(column))) for column in columns]
        self._require_finite(rows[0])
        means = [sum(row) / len(row) for row in rows]
        return means[0], dict(zip(names, means[1:], strict=True))

    def read(self, number: int, rate: float, batches: Sequence[Batch]) -> Reading:
        """Take a reading and begin a new interval; every rank must take part.

        Args:
            number: Steps taken so far.
            rate: The learning rate of the last one.
            batches: Of the last one; the others are as large.

        Raises:
            ValueError: If the loss of a step was not finite on any rank.
        """
        loss, terms = self.check()
        items = self._steps * self._world.ranks * sum(map(_num_samples, batches))
        elapsed = time.perf_counter() - self._began
        times = sorted(self._step_seconds())
        reading = Reading(
            step=number,
            loss=loss,
            terms=terms,
            learning_rate=rate,
            items_per_second=items / elapsed,
            step_seconds=(_quantile(times, 0.5), _quantile(times, 0.95)),
            data_share=self._data_seconds / elapsed,
            memory_bytes=self._memory(),
        )
        self._restart()
        return reading

    def _restart(self) -> None:
        self._losses.clear()
        self._ticks.clear()
        self._events.clear()
        self._data_seconds, self._steps = 0.0, 0
        self._began = time.perf_counter()
        self._mark()

    def _mark(self) -> None:
        if not self._on_gpu:
            self._ticks.append(time.perf_counter())
            return
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        self._events.append(event)

    def _step_seconds(self) -> Sequence[float]:
        if not self._on_gpu:
            return [b - a for a, b in pairwise(self._ticks)]
        self._events[-1].synchronize()
        events = list(self._events)
        return [a.elapsed_time(b) / 1000 for a, b in pairwise(events)]

    def _memory(self) -> int:
        if self._on_gpu:
            return torch.cuda.max_memory_allocated(self._device)
        # One system call, where psutil reads files in /proc: that was 60 µs per step of training.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak

    def _require_finite(self, losses: list[float]) -> None:
        for (number, _), loss in zip(self._losses, losses, strict=True):
            if not math.isfinite(loss):
                raise ValueError(
                    f"the loss of step {number} is {loss}, and training stopped; the checkpoints "
                    f"are from before it. Lower train.learning_rate "
                    f"({self._config.learning_rate:g}), raise train.warmup_steps "
                    f"({self._config.warmup_steps}), set train.clip_norm, or look for bad numbers "
                    "in the batch of that step"
                )


def _num_samples(batch: Batch) -> int:
    first = next(iter(batch.values()), None)
    return 1 if first is None or first.ndim == 0 else first.shape[0]


def _quantile(times: Sequence[float], share: float) -> float:
    """The value of sorted times below which a share of them lies (nearest rank)."""
    return times[max(0, math.ceil(share * len(times)) - 1)]
