"""Requests as they arrive: bounded in size, in number and in time, and given up with their client.

Starlette parses multipart bodies and spools large files to disk; the bounds around it are here.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from ansatz.server.dialect import Form
from ansatz.server.errors import HttpError
from ansatz.server.settings import Settings

R = TypeVar("R")
COURTESY = 10.0  # s that a refused client may go on sending
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


async def read_form(request: Request, settings: Settings) -> Form:
    """Read the body of a request.

    Args:
        request: With its body unread.
        settings: The limits.

    Returns:
        Its text fields and files.

    Raises:
        HttpError: 400 for a body that does not parse, 408, 413 or 415, and 499, which nobody will
            read, if the client went away.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media and request.headers.get("content-length", "0") == "0":
        return Form(path=request.url.path, accept=request.headers.get("accept", ""))
    if media not in (*FORMS, "application/json"):
        raise HttpError(415, f"send multipart/form-data or application/json, not {media!r}")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise HttpError(415, "send the body without a Content-Encoding")
    bounded = Request(request.scope, _bounded(request.receive, settings.max_body))
    try:
        async with asyncio.timeout(settings.upload_seconds):
            texts, files = await (_read_json if media == "application/json" else _read_parts)(
                bounded, settings
            )
    except TimeoutError:
        seconds = settings.upload_seconds
        raise HttpError(408, f"the request did not arrive within {seconds:g} s") from None
    except ClientDisconnect:
        raise _gone() from None
    return Form(texts, files, request.url.path, request.headers.get("accept", ""))


async def _read_parts(
    request: Request, settings: Settings
) -> tuple[dict[str, str], dict[str, bytes]]:
    async with _parts(request, settings) as parts:
        texts: dict[str, str] = {}
        files: dict[str, bytes] = {}
        for name, value in parts.multi_items():
            if name in texts or name in files:
                raise HttpError(400, f"the field {name[:40]!r} was sent twice; send it once")
            if isinstance(value, UploadFile):
                files[name] = await value.read()
            else:
                texts[name] = value
        return texts, files


@contextlib.asynccontextmanager
async def _parts(request: Request, settings: Settings) -> AsyncIterator[FormData]:
    try:
        form = await request.form(
            max_files=settings.max_fields,
            max_fields=settings.max_fields,
            max_part_size=settings.max_text,
        )
    except HTTPException as error:
        raise HttpError(400, f"the form does not parse: {error.detail}") from None
    try:
        yield form
    finally:
        await form.close()


async def _read_json(
    request: Request, settings: Settings
) -> tuple[dict[str, str], dict[str, bytes]]:
    try:
        content = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise HttpError(400, f"the body is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise HttpError(400, "the body must be a JSON object with a member per field")
    if len(content) > settings.max_fields:
        raise HttpError(400, f"{len(content)} fields; at most {settings.max_fields} are read")
    sent = {name: value for name, value in content.items() if value is not None}
    texts = {n: v if isinstance(v, str) else json.dumps(v) for n, v in sent.items()}
    return texts, {}


def oversized(request: Request, settings: Settings) -> HttpError | None:
    """The error for a body whose announced length is too large, or no number."""
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal():
        return HttpError(400, f"Content-Length must be a number, got {announced[:40]!r}")
    return _too_large(settings.max_body) if int(announced) > settings.max_body else None


async def discard_body(request: Request, limit: int) -> None:
    """Read and forget an unread body of up to `limit` bytes.

    A client that is still sending when the connection closes does not see the answer. One that
    sent `Expect: 100-continue` is waiting, and needs no such courtesy.
    """
    if request.headers.get("expect", "").lower() == "100-continue":
        return
    receive = _bounded(request.receive, limit)
    with contextlib.suppress(HttpError, TimeoutError):
        async with asyncio.timeout(COURTESY):
            while (await receive()).get("more_body", False):
                pass


async def outcome(request: Request, work: Coroutine[Any, Any, R]) -> R | BaseException:
    """Await some work, and cancel it when the client goes away.

    Args:
        request: With its body read.
        work: What to await.

    Returns:
        The result of the work, or the error that ended it; `HttpError` of status 499, which
        nobody will read, if the client went away.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnect(request.receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.exception() or working.result()
        return _gone()
    finally:
        working.cancel()
        leaving.cancel()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _bounded(receive: Receive, limit: int) -> Receive:
    """The same stream, with an error once more than `limit` bytes have come."""
    arrived = 0

    async def counted() -> Message:
        nonlocal arrived
        message = await receive()
        arrived += len(message.get("body", b""))
        if arrived > limit:
            raise _too_large(limit)
        return message

    return counted


def _gone() -> HttpError:
    return HttpError(499, "the client closed the connection")


def _too_large(limit: int) -> HttpError:
    return HttpError(413, f"the request is larger than {limit} bytes, the limit of this server")
