"""Work that is handed from thread to thread and returns to its event loop once.

A coroutine that awaits every stage wakes the event loop after each, only to start the next. Here
whichever thread ends a stage starts the next one. Work is written as a generator that yields the
future of each stage and receives its result:

    question = yield readers.submit(read, form)
    outputs = yield device.submit(question)
"""

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

R = TypeVar("R")
Work = Generator["Future[Any]", Any, R]


def relay(work: Work[R]) -> "asyncio.Future[R]":
    """Start work of several stages; to be called in an event loop.

    Args:
        work: Up to its first `yield` it runs here, then in the threads that end its stages, so
            between two of them it should only hand on. An error of a stage is raised at its
            `yield`.

    Returns:
        A future of what the work returns or raises. Cancelling it cancels the stage the work is in
        where that is still possible, and starts no other. A stage that is cancelled cancels it.
    """
    loop = asyncio.get_running_loop()
    goal: asyncio.Future[R] = loop.create_future()
    stage: Future[Any] | None = None

    def step(result: Any, error: BaseException | None) -> None:
        nonlocal stage
        try:
            stage = work.send(result) if error is None else work.throw(error)
        except StopIteration as end:
            _tell(loop, partial(_arrive, goal, end.value, None))
        except Exception as failure:  # whatever it is, it belongs to who awaits the goal
            _tell(loop, partial(_arrive, goal, None, failure))
        else:
            if goal.cancelled():  # meanwhile: `left` may have seen the stage before
                stage.cancel()
            stage.add_done_callback(passed)

    def passed(ended: "Future[Any]") -> None:
        if ended.cancelled():
            _tell(loop, goal.cancel)
        elif not goal.cancelled():
            error = ended.exception()
            step(None if error else ended.result(), error)

    def left(_: "asyncio.Future[R]") -> None:
        if goal.cancelled() and stage is not None:
            stage.cancel()

    goal.add_done_callback(left)
    step(None, None)
    return goal


def _tell(loop: asyncio.AbstractEventLoop, message: Callable[[], object]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(message)


def _arrive(goal: "asyncio.Future[R]", result: Any, error: Exception | None) -> None:
    if goal.done():
        return
    if error is None:
        goal.set_result(result)
    else:
        goal.set_exception(error)
