"""The application: one model's routes, management and errors, ready for an ASGI server."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ansatz.core.errors import unknown
from ansatz.server.desk import Desk, Reply
from ansatz.server.dialect import Dialect, Form
from ansatz.server.errors import HttpError, error_response, unforeseen
from ansatz.server.fields import form_fields, form_schema
from ansatz.server.gate import gate
from ansatz.server.generic import generic_dialect
from ansatz.server.intake import discard_body, outcome, oversized, read_form
from ansatz.server.management import add_management
from ansatz.server.reply import response
from ansatz.server.service import Service
from ansatz.server.settings import Settings, read_keys
from ansatz.server.streaming import Begun, begun, streamed

log = logging.getLogger("ansatz.server")
ARITHMETIC = "Ansatz-Arithmetic"  # header of answers
Endpoint = Callable[[Request], Coroutine[None, None, Response]]


def create_app(service: Service, settings: Settings) -> FastAPI:
    """Build the application of a model.

    Args:
        service: The model.
        settings: Limits and keys.

    Returns:
        The application. Its threads start here; its lifespan runs the self-test and stops them.
        `app.state.desk` is the `Desk` behind it.

    Raises:
        OSError: If the key file cannot be read.
        ValueError: If the key file holds no keys.
    """
    digests = read_keys(settings.key_file) if settings.key_file else ()
    desk = Desk(service, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # In the background, so that the process is live while it is not yet ready.
        starting = asyncio.create_task(desk.start())
        yield
        starting.cancel()
        await asyncio.to_thread(desk.stop)

    app = FastAPI(
        title=service.name, summary=service.title, version=service.version, lifespan=lifespan
    )
    app.state.desk = desk
    app.add_middleware(gate, digests=digests)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, unforeseen)
    # First, since routes are tried in order: fifteen misses cost a tenth of a millisecond.
    for dialect in (generic_dialect(service.name, service.request), *service.dialects):
        _add_dialect(app, desk, dialect)
    add_management(app, desk)
    app.add_api_route(
        "/v1/models/{name:path}/infer", _absent(service.name), methods=["POST"], response_model=None
    )
    return app


def _add_dialect(app: FastAPI, desk: Desk, dialect: Dialect) -> None:
    media = {"multipart/form-data": {"schema": form_schema(form_fields(dialect.form))}}
    for route in dialect.routes:
        app.add_api_route(
            route,
            _endpoint(desk, dialect, route),
            methods=["POST"],
            response_model=None,
            name=f"{dialect.name}: {route}",
            description=dialect.documentation,
            openapi_extra={"requestBody": {"required": True, "content": media}},
        )


def _endpoint(desk: Desk, dialect: Dialect, route: str) -> Endpoint:
    async def infer(request: Request) -> Response:
        start = time.perf_counter()
        code = 500
        try:
            answered = await _answer(desk, dialect, request)
            code = answered.status_code
        finally:
            desk.metrics.count(route, code, time.perf_counter() - start)
        return answered

    return infer


async def _answer(desk: Desk, dialect: Dialect, request: Request) -> Response:
    refused = desk.refusal() or oversized(request, desk.settings)
    if refused is not None:
        await discard_body(request, desk.settings.max_body)
        return error_response(refused)
    with desk.busy():
        try:
            form = await read_form(request, desk.settings)
        except HttpError as error:
            return error_response(error)
        answered = await outcome(request, _answered(desk, dialect, form))
    if isinstance(answered, HttpError):
        return error_response(answered)
    if isinstance(answered, BaseException):
        # Answered here and not by the framework, which would also close the connection.
        log.error("request %s failed", request.scope["request_id"], exc_info=answered)
        return unforeseen(request, answered)
    if isinstance(answered, Begun):
        found: Response = streamed(request, answered)
    else:
        found = response(answered.packed, answered.tag)
    if desk.service.arithmetic:
        found.headers[ARITHMETIC] = desk.service.arithmetic
    return found


async def _answered(desk: Desk, dialect: Dialect, form: Form) -> Reply | Begun:
    if dialect.stream is None:
        return await desk.answer(dialect, form)
    return await begun(desk, dialect, dialect.stream, form)


def _absent(served: str) -> Endpoint:
    async def absent(request: Request) -> Response:
        name = request.path_params["name"]
        return error_response(HttpError(404, unknown("model", name, [served])))

    return absent


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}"
    return error_response(HttpError(error.status_code, message))
