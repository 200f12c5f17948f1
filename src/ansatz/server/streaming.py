"""Answers that leave while they are still being computed, part by part.

The first part is computed before anything is sent, so a question that cannot be answered gets its
status like any other. An error after that cuts the connection: the client sees a body without its
end, and cannot take it for a whole answer. A client that leaves ends the work on its parts.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import StreamingResponse

from ansatz.server.desk import Desk, Reply
from ansatz.server.dialect import Dialect, Form, Stream
from ansatz.server.errors import HttpError
from ansatz.server.intake import outcome
from ansatz.server.reply import Packed

PAUSE = 0.1  # s until a part that found the queue full tries again
FULL, GONE = 429, 499


@dataclass(frozen=True)
class Begun:
    """An answer whose first part is there.

    Attributes:
        desk: That answers.
        dialect, stream, form: How it is asked, and the question.
        first: The answer to the first part.
        rest: The requests of the others.
    """

    desk: Desk
    dialect: Dialect
    stream: Stream
    form: Form
    first: Reply
    rest: list[Any]


async def begun(desk: Desk, dialect: Dialect, stream: Stream, form: Form) -> Begun:
    """Answer the first part of a question.

    Raises:
        HttpError: As `Desk.answer`.
    """
    first, *rest = await desk.requests(stream, dialect, form)
    return Begun(desk, dialect, stream, form, await desk.answer(dialect, form, first), rest)


def streamed(request: Request, answer: Begun) -> StreamingResponse:
    """The response that sends an answer as its parts are finished."""
    headers = {"ETag": f'W/"{answer.first.tag}"'}
    return StreamingResponse(
        _pieces(request, answer), headers=headers, media_type=answer.stream.media_type
    )


async def _pieces(request: Request, answer: Begun) -> AsyncIterator[bytes]:
    with answer.desk.busy():
        for piece in _bytes(answer.first.packed):
            yield piece
        for part in answer.rest:
            reply = await outcome(request, _admitted(answer, part))
            if isinstance(reply, HttpError) and reply.status == GONE:
                return
            if isinstance(reply, BaseException):
                raise reply
            for piece in _bytes(reply.packed):
                yield piece
        yield answer.stream.closing


async def _admitted(answer: Begun, part: Any) -> Reply:
    """The answer to a part; where the queue is full it waits, as its client was admitted."""
    while True:
        try:
            return await answer.desk.answer(answer.dialect, answer.form, part)
        except HttpError as error:
            if error.status != FULL:
                raise
        await asyncio.sleep(PAUSE)


def _bytes(packed: Packed) -> list[bytes]:
    return [packed.content] if isinstance(packed.content, bytes) else list(packed.content)
