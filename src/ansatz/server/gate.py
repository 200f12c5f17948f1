"""What every request passes: it gets an identity and, where there are keys, shows one."""

import re
import uuid

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ansatz.server.errors import HttpError, error_response
from ansatz.server.settings import is_known_key

IDENTITY = re.compile(r"[\w.:-]{1,128}", re.ASCII)
OPEN_PATHS = ("/v1/health/live", "/v1/health/ready")  # for probes, which have no key


def gate(app: ASGIApp, digests: tuple[bytes, ...]) -> ASGIApp:
    """Wrap an application.

    Args:
        app: What is behind the gate.
        digests: SHA-256 of the keys that open it; empty leaves it open.

    Returns:
        The application behind the gate. `X-Request-Id` is taken from the client where it is
        harmless, made otherwise, kept as `scope["request_id"]` and sent back.
    """

    async def gated(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        offered = headers.get("x-request-id", "")
        identity = offered if IDENTITY.fullmatch(offered) else uuid.uuid4().hex
        scope["request_id"] = identity

        async def identified(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", identity.encode()),
                ]
            await send(message)

        refused = None if scope["path"] in OPEN_PATHS else _refusal(headers, digests)
        await (error_response(refused) if refused else app)(scope, receive, identified)

    return gated


def _refusal(headers: Headers, digests: tuple[bytes, ...]) -> HttpError | None:
    if not digests:
        return None
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        return HttpError(401, "this server asks for a key: send Authorization: Bearer KEY")
    if not is_known_key(key.strip(), digests):
        return HttpError(401, "the key is not known to this server")
    return None
