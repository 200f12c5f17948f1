"""A small client: asks a server, comes back when told to, and believes only sound archives."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import httpx
from numpy.typing import NDArray

from ansatz.server.npz import NpzLimits, read_npz

LONGEST_PAUSE = 30.0  # s between two tries, whatever the server asks for
ANSWER_LIMITS = NpzLimits(size=16 << 30, members=4096)


class Client:
    """A connection to a server.

    Args:
        url: As `http://127.0.0.1:8000`.
        key: Sent as `Authorization: Bearer KEY`, if not empty.
        timeout: Seconds that one answer may take.
        retries: Further tries after 429.
    """

    def __init__(self, url: str, key: str = "", timeout: float = 300.0, retries: int = 20) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)
        self._retries = retries

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def is_ready(self) -> bool:
        """Whether the server takes questions now."""
        try:
            return self._http.get("/v1/health/ready", timeout=5.0).status_code == 200
        except httpx.TransportError:
            return False

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until the server takes questions.

        Args:
            seconds: At most.

        Raises:
            TimeoutError: If it does not by then.
        """
        end = time.monotonic() + seconds
        while not self.is_ready():
            if time.monotonic() > end:
                raise TimeoutError(f"{self._http.base_url} was not ready within {seconds:g} s")
            time.sleep(0.05)

    def infer(
        self,
        recipe: str,
        fields: Mapping[str, object] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Ask a model.

        Args:
            recipe: Name of the model, as `subject/data-size`.
            fields: Fields of its request, by name; None is left out.
            files: Contents of the files it needs, by field name.

        Returns:
            The arrays of its answer by dotted name.

        Raises:
            ValueError: If the server refuses the question; the message is the server's.
            LookupError: If it does not serve this model.
            PermissionError: If it asks for another key.
            TimeoutError: If it stays overloaded through all tries.
            OSError: If it fails, or cannot be reached.
        """
        route = f"/v1/models/{recipe}/infer"
        texts = {name: str(value) for name, value in (fields or {}).items() if value is not None}
        # Text fields as parts without a file name, so that a form without files is multipart too.
        parts: list[tuple[str, tuple[str | None, str | bytes]]] = [
            *((name, (None, text)) for name, text in texts.items()),
            *((name, (name, data)) for name, data in (files or {}).items()),
        ]
        return read_npz(self._post(route, parts).content, ANSWER_LIMITS)

    def _post(
        self, route: str, parts: list[tuple[str, tuple[str | None, str | bytes]]]
    ) -> httpx.Response:
        for retries_left in range(self._retries, -1, -1):
            try:
                reply = self._http.post(route, files=parts)
            except httpx.TransportError as error:
                raise ConnectionError(f"{self._http.base_url}: {error}") from error
            if reply.status_code != 429 or not retries_left:
                break
            time.sleep(min(_seconds(reply.headers.get("retry-after", "")), LONGEST_PAUSE))
        _raise_for(reply)
        return reply


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 1.0


def _raise_for(reply: httpx.Response) -> None:
    """Raise what a response of 400 or above means."""
    if reply.status_code < 400:
        return
    is_json = reply.headers.get("content-type", "").startswith("application/json")
    message = str(reply.json().get("message", "")) if is_json else reply.text[:200]
    said = f"{reply.status_code} from {reply.url}: {message}"
    match reply.status_code:
        case 400 | 413 | 415 | 422:
            raise ValueError(message)
        case 401 | 403:
            raise PermissionError(said)
        case 404:
            raise LookupError(said)
        case 429:
            raise TimeoutError(said)
        case _:
            raise OSError(said)
