"""One device thread that takes whatever waits.

There is no timer: an idle device starts on a single item at once, and while it is busy the next
batch grows by itself. A batch is capped by count and by cost (points, tiles, tokens), so items
of very different sizes stay within the device's memory. The queue is bounded: beyond it, callers
are told when to come back instead of waiting for longer than they would. Work that all callers
have left is given up where it asks (`ansatz.engine.interruption`).
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

from ansatz.engine.interruption import UnwantedError, while_wanted

T = TypeVar("T")
R = TypeVar("R")

SMOOTHING = 0.2  # weight of the newest batch in the mean time per item


class QueueFullError(RuntimeError):
    """The queue has no room.

    Attributes:
        retry_after: Seconds after which the queue is expected to have been worked off, at least 1.
    """

    def __init__(self, waiting: int, retry_after: int) -> None:
        super().__init__(f"{waiting} requests are waiting already; try again in {retry_after} s")
        self.retry_after = retry_after


class StoppedError(RuntimeError):
    """The batcher takes no more items."""


@dataclass(frozen=True)
class Served(Generic[R]):
    """A result with the story of its batch.

    Attributes:
        result: What the device returned for the item.
        queued: Time in the queue, s.
        ran: Time of the batch on the device, s.
        batch_size: Items in the batch.
        batch_cost: Their cost together.
        leads: Whether the item is the first of its batch, so that batches can be counted once.
    """

    result: R
    queued: float
    ran: float
    batch_size: int
    batch_cost: float
    leads: bool


class _Promise(Future[R]):
    """A future that remembers who cancelled it too late, while it was running."""

    is_left = False

    def cancel(self) -> bool:
        self.is_left = True
        return super().cancel()


@dataclass(frozen=True)
class _Ticket(Generic[T, R]):
    item: T
    cost: float
    since: float
    future: "_Promise[Served[R]]"


def unit_cost(item: object) -> float:
    """The cost of an item where all are alike: one."""
    return 1.0


class Batcher(Generic[T, R]):
    """A bounded queue in front of a device thread.

    Args:
        run: Evaluates a batch, item by item in order; called in the device thread only. If it
            raises, the items are run again one by one, and only those that raise alone fail.
        queue_size: Items that may wait.
        max_batch: Items per batch.
        max_cost: Cost per batch. An item that is dearer by itself runs alone.
        cost: Cost of an item, in any unit.
    """

    def __init__(
        self,
        run: Callable[[list[T]], list[R]],
        queue_size: int = 64,
        max_batch: int = 8,
        max_cost: float = math.inf,
        cost: Callable[[T], float] = unit_cost,
    ) -> None:
        if queue_size < 1 or max_batch < 1 or not max_cost > 0:
            raise ValueError(
                f"queue size, batch size and batch cost must be positive, got {queue_size}, "
                f"{max_batch} and {max_cost}"
            )
        self._run = run
        self._cost = cost
        self._queue_size, self._max_batch, self._max_cost = queue_size, max_batch, max_cost
        self._waiting: deque[_Ticket[T, R]] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._seconds_per_item = 0.0
        self._thread = threading.Thread(target=self._work, name="ansatz-device", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Items in the queue."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether another item would be refused: those whose callers left make room first."""
        with self._changed:
            if len(self._waiting) >= self._queue_size:
                self._waiting = deque(t for t in self._waiting if not t.future.cancelled())
            return len(self._waiting) >= self._queue_size

    @property
    def retry_after(self) -> int:
        """Whole seconds in which the present queue is expected to be worked off, at least 1."""
        return max(1, math.ceil(self._seconds_per_item * len(self._waiting)))

    def submit(self, item: T) -> "Future[Served[R]]":
        """Queue an item, from any thread.

        Args:
            item: What to evaluate.

        Returns:
            A future of its result. Cancelling it takes the item out of the queue; if it is running
            with others that are cancelled too, it is given up. What waits for it runs in the
            device thread, and should only hand the result on.

        Raises:
            QueueFullError: If no more items may wait.
            StoppedError: If the batcher is stopping.
        """
        future: _Promise[Served[R]] = _Promise()
        ticket = _Ticket(item, self._cost(item), time.perf_counter(), future)
        with self._changed:
            if self._stopping:
                raise StoppedError("the server is stopping and takes no more requests")
            if self.is_full:
                raise QueueFullError(self.waiting, self.retry_after)
            self._waiting.append(ticket)
            self._changed.notify()
        return future

    def stop(self, timeout: float | None = None) -> None:
        """Refuse new items and wait until those in the queue are answered.

        Not to be called from the device thread.

        Args:
            timeout: Seconds to wait at most.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout)

    # ------------------------------------------------------------------ in the device thread
    def _work(self) -> None:
        while self._turn():
            pass

    def _turn(self) -> bool:
        """Answer one batch; False when there will be no more."""
        batch = self._take()
        if batch:
            self._answer(batch)
        return bool(batch) or not (self._stopping and not self._waiting)

    def _take(self) -> list[_Ticket[T, R]]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            batch: list[_Ticket[T, R]] = []
            cost = 0.0
            while self._waiting and len(batch) < self._max_batch:
                ticket = self._waiting[0]
                if batch and not ticket.future.cancelled() and cost + ticket.cost > self._max_cost:
                    break
                self._waiting.popleft()
                if ticket.future.set_running_or_notify_cancel():
                    cost += ticket.cost
                    batch.append(ticket)
            return batch

    def _answer(self, batch: list[_Ticket[T, R]]) -> None:
        start = time.perf_counter()
        results: list[R] = []
        with _Attempt() as attempt, while_wanted(lambda: not all(t.future.is_left for t in batch)):
            results = self._run([ticket.item for ticket in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{len(batch)} items in a batch gave {len(results)} results")
        ran = time.perf_counter() - start
        if attempt.error is not None and len(batch) > 1:
            for ticket in batch:
                self._answer([ticket])
            return
        if isinstance(attempt.error, UnwantedError):  # says nothing about how long an item takes
            batch[0].future.set_exception(attempt.error)
            return
        per_item = ran / len(batch)
        known = self._seconds_per_item or per_item
        self._seconds_per_item = known + SMOOTHING * (per_item - known)
        if attempt.error is not None:
            batch[0].future.set_exception(attempt.error)
            return
        cost = sum(ticket.cost for ticket in batch)
        for index, (ticket, result) in enumerate(zip(batch, results, strict=True)):
            queued = start - ticket.since
            ticket.future.set_result(Served(result, queued, ran, len(batch), cost, index == 0))


class _Attempt:
    """Keeps the error of its block for whom it concerns, so that the device thread lives on."""

    error: Exception | None = None

    def __enter__(self) -> "_Attempt":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None
