"""Giving up: work that nobody waits for any more ends between two evaluations of a network.

Who starts long work says how to ask whether it is still wanted; the work asks now and then.

    with while_wanted(lambda: not client.has_left):       the server
        outputs = predictor.forward(tensors)
            ...
            require_wanted()                              a sampler, before each step
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_is_wanted: ContextVar[Callable[[], bool] | None] = ContextVar("is_wanted", default=None)


class UnwantedError(RuntimeError):
    """Nobody waits for the answer any more."""


@contextmanager
def while_wanted(is_wanted: Callable[[], bool]) -> Iterator[None]:
    """Let the work in this block, in this thread, be given up.

    Args:
        is_wanted: Whether somebody waits for it still; asked from the thread of the work.
    """
    token = _is_wanted.set(is_wanted)
    try:
        yield
    finally:
        _is_wanted.reset(token)


def require_wanted() -> None:
    """End the present work if nobody waits for it.

    Raises:
        UnwantedError: If that is so.
    """
    is_wanted = _is_wanted.get()
    if is_wanted is not None and not is_wanted():
        raise UnwantedError("nobody waits for this answer any more")
