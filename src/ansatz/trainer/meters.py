"""What a run measures about itself, without slowing it down.

Losses stay on the device, one small tensor per step, until a reading brings a whole interval to
the host in one transfer. That transfer is the only time the host waits for the device, so it also
bounds the clock: the rate of an interval is its items over the time between two readings.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from ansatz.core.recipe import Loss, TrainConfig
from ansatz.trainer.distributed import World, average
from ansatz.trainer.graph import Batch

Reading = dict[str, float]  # a row of the log


@dataclass(frozen=True)
class Work:
    """What a batch is, as work.

    Attributes:
        operations: On floating-point numbers that a step needs for it, padding left out.
        idle: Items that count for nothing, as padding.
    """

    operations: float
    idle: int = 0


@runtime_checkable
class Estimator(Protocol):
    """An objective that also knows how much work a batch is."""

    def work(self, model: nn.Module, batch: Batch) -> Work:
        """The work of a step of a model, without any wrapper, on a batch on the host."""


class Meters:
    """Collects the losses and times of the steps since the last reading.

    Only the last `log_every` steps are kept, so a caller that never reads costs no memory.

    Args:
        config: How the model is trained.
        world: The place of this process.
        work: Of a batch on the host, if the subject knows.
        peak: Operations per second that the device could reach, if that is known.
    """

    def __init__(
        self,
        config: TrainConfig,
        world: World,
        work: Callable[[Batch], Work] | None = None,
        peak: float | None = None,
    ) -> None:
        self._config = config
        self._world = world
        self._work, self._peak = work, peak
        self._losses: deque[tuple[int, Loss]] = deque(maxlen=config.log_every)
        self._restart()

    def stepped(
        self, number: int, loss: Loss, data_seconds: float, batches: Sequence[Batch]
    ) -> None:
        """Count a step, its batches and the time they took; keep its losses, on the device."""
        self._losses.append((number, loss))
        self._data_seconds += data_seconds
        self._items += sum(map(_num_items, batches))
        if self._work is not None:
            works = [self._work(batch) for batch in batches]
            self._idle += sum(work.idle for work in works)
            self._operations += sum(work.operations for work in works)

    def check(self) -> Reading:
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
        means = (sum(row) / len(row) for row in rows)
        return dict(zip(["loss", *names], means, strict=True))

    def read(self, number: int, rate: float) -> Reading:
        """Take a reading and begin a new interval; every rank must take part.

        Args:
            number: Steps taken so far.
            rate: The learning rate of the last one.

        Returns:
            The `step`, means of the loss and its terms, the `learning_rate`, the
            `items_per_second` of all ranks, each as many as this one (a batch has as many items as
            the leading axis of its first tensor: samples, points, tokens; those that count for
            nothing left out), and the `data_share` of the time that this process spent on batches.
            Where the subject tells the work: the share of `padding` among the items, the
            `teraflops` per second of this process, and on a known device their share `mfu` of
            what it could reach.

        Raises:
            ValueError: If the loss of a step was not finite on any rank.
        """
        losses = self.check()
        items = (self._items - self._idle) * self._world.ranks
        elapsed = time.perf_counter() - self._began
        share = self._data_seconds / elapsed
        rates = {"learning_rate": rate, "items_per_second": items / elapsed, "data_share": share}
        if self._work is not None:
            speed = self._operations / elapsed
            rates |= {"padding": self._idle / self._items, "teraflops": speed / 1e12}
            if self._peak is not None:
                rates["mfu"] = speed / self._peak
        self._restart()
        return {"step": number} | losses | rates

    def _restart(self) -> None:
        self._losses.clear()
        self._data_seconds, self._items = 0.0, 0
        self._operations, self._idle = 0.0, 0
        self._began = time.perf_counter()

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


def _num_items(batch: Batch) -> int:
    first = next(iter(batch.values()), None)
    return 1 if first is None or first.ndim == 0 else first.shape[0]
