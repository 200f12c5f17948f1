"""Errors as clients of every family read them.

DoMINO's clients look for `message`, FastAPI's for `detail`, those of newer NIMs for `error`; a
body carries all three. The message says what was found, what was expected and what to do.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse

KINDS = {
    400: "invalid_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "payload_too_large",
    415: "unsupported_media_type",
    422: "unprocessable_request",
    429: "overloaded",
    499: "client_closed_request",
    500: "internal_error",
    503: "unavailable",
}


class HttpError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: HTTP status.
        message: For the user.
        retry_after: Seconds after which another try may succeed, if time helps.
    """

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after


def error_body(status: int, message: str) -> dict[str, object]:
    """The body of an error, in the shapes of all families."""
    kind = KINDS.get(status, "error")
    return {
        "error": {"message": message, "type": kind, "code": status},
        "message": message,
        "detail": message,
    }


def error_response(error: HttpError) -> JSONResponse:
    """The response to an error, with `Retry-After` and `WWW-Authenticate` where they belong."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(error_body(error.status, error.message), error.status, headers)


def unforeseen(request: Request, error: BaseException) -> JSONResponse:
    """The response to an error nobody foresaw: no details leave, the log has the traceback."""
    identity = request.scope.get("request_id", "unknown")
    message = f"internal error; the server's log has the details of request {identity}"
    return error_response(HttpError(500, message))
