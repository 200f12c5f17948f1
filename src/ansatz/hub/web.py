"""Asking a web server, patiently: time-outs, retries, and errors that say what to do.

A failure may pass (no connection, 408, 429, 5xx: `TransientError`, tried again after a pause that
doubles, with jitter so that eight workers do not return together, and never shorter than the
server's Retry-After), concern one file (404: `UnavailableError`, the others go on), or concern
everything (401, 403: `PermissionError`).
"""

import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
# A compressed transfer would make offsets and sizes those of the compressed bytes.
UNCOMPRESSED = {"Accept-Encoding": "identity"}
_PASSING = (408, 429, 500, 502, 503, 504)


class TransientError(OSError):
    """A failure that may pass. `retry_after` is the pause the server asked for, in seconds."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnavailableError(OSError):
    """One file cannot be had. `status` is the server's HTTP status, 0 if it gave none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Patience:
    """How long to insist.

    Attributes:
        attempts: Failures in a row, without a byte of progress, before giving up.
        first_wait: Pause after the first failure, s; it doubles with each further one.
        longest_wait: Longest pause of our own, s.
        longest_obeyed: Longest Retry-After that is obeyed, s. The hub's quotas renew within 300 s.
    """

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0
    longest_obeyed: float = 600.0

    def pause(self, failures: int, retry_after: float) -> float:
        """Seconds to wait after the given number of failures in a row."""
        wait: float = min(self.longest_wait, self.first_wait * 2 ** (failures - 1))
        return max(wait * random.uniform(0.5, 1.0), min(retry_after, self.longest_obeyed))


PATIENT = Patience()


@dataclass(frozen=True)
class Stream:
    """The bytes of a file from `start` to its end, of `total` bytes in all if that is known."""

    start: int
    chunks: Iterator[bytes]
    total: int | None = None


@dataclass(frozen=True)
class Connection:
    """A client with its headers, its patience and its advice.

    Attributes:
        client: Connections, shared by all workers.
        patience: How long to insist.
        headers: Sent with every request; credentials are dropped when redirected elsewhere.
        advice: What a user may do when the server refuses access.
    """

    client: httpx.Client
    patience: Patience
    headers: Mapping[str, str]
    advice: str

    def ask(
        self, method: str, url: str, json: Mapping[str, object] | None = None
    ) -> httpx.Response:
        """Send a request until it succeeds or patience ends.

        Raises:
            UnavailableError: If the server does not have it, or cannot be reached.
            PermissionError: If the server refuses access.
        """
        failures = 0
        headers = {**self.headers, **UNCOMPRESSED} if method == "HEAD" else self.headers
        while True:
            try:
                with _named_errors(url):
                    response = self.client.request(method, url, headers=headers, json=json)
                self._check(response)
                return response
            except TransientError as error:
                failures += 1
                if failures >= self.patience.attempts:
                    raise UnavailableError(f"{error}, {failures} times") from error
                time.sleep(self.patience.pause(failures, error.retry_after))

    @contextmanager
    def stream(self, url: str, offset: int) -> Iterator[Stream]:
        """Open a file at an offset; a server that cannot do that starts at 0.

        Raises:
            TransientError: If the connection fails; what has arrived is good.
            UnavailableError: If the server does not have the file.
            PermissionError: If the server refuses access.
        """
        headers = {**self.headers, **UNCOMPRESSED}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with _named_errors(url), self.client.stream("GET", url, headers=headers) as response:
            start = _start(response)
            if not offset or (response.status_code != 416 and start in (0, offset)):
                self._check(response)
                yield Stream(start, response.iter_raw(), _total(response))
                return
        # The part here is longer than the file there, or the server began somewhere else.
        with self.stream(url, 0) as stream:
            yield stream

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if response.is_success:
            return
        said = response.headers.get("X-Error-Message", response.reason_phrase)
        message = f"{response.url} answered {status} ({said})"
        if status in (401, 403):
            raise PermissionError(f"{message}. {self.advice}")
        if status in _PASSING:
            raise TransientError(message, _retry_after(response))
        raise UnavailableError(message, status)


@contextmanager
def _named_errors(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        raise TransientError(f"no connection to {url} ({type(error).__name__}: {error})") from error
    except (httpx.TooManyRedirects, httpx.InvalidURL) as error:
        raise UnavailableError(f"{url}: {error}") from error


def _start(response: httpx.Response) -> int:
    """First byte of a partial answer; 0 of a complete one."""
    if response.status_code != 206:
        return 0
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def _total(response: httpx.Response) -> int | None:
    """Bytes of the whole file, if the server tells."""
    if response.status_code == 206:
        text = response.headers.get("Content-Range", "").rpartition("/")[2]
    else:
        text = response.headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


def _retry_after(response: httpx.Response) -> float:
    """The pause a server asks for, s: a number or a date (RFC 9110, §10.2.3)."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, (date.astimezone(UTC) - datetime.now(UTC)).total_seconds())
