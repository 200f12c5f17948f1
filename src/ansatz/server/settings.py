"""Limits and addresses of a server."""

import hashlib
import hmac
import ipaddress
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt, Le


@dataclass(frozen=True)
class Settings:
    """How a server listens and what it takes.

    Attributes:
        host: Address to bind. Anything but loopback needs a `key_file`, or `insecure`.
        port: TCP port; 0 takes a free one.
        key_file: Keys that clients send as `Authorization: Bearer KEY`, one per line, either
            plain or as `sha256:HEX`. None asks for no key.
        insecure: Allow other addresses than loopback without a key.
        queue_size: Requests that may wait for the device.
        max_batch: Requests per batch, where the predictor evaluates several at once.
        max_cost: Cost per batch, in the unit of the service's `cost`.
        max_concurrent: Requests in progress, those being uploaded included.
        max_body: Bytes of a request.
        max_fields: Text fields and, separately, files of a request.
        max_text: Bytes of one text field.
        upload_seconds: Time for a request to arrive.
        drain_seconds: Time to finish what is in progress after SIGTERM.
        host_threads: Threads that read requests and write answers.

    Raises:
        ValueError: If the address needs a key that is not there.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Ge(0), Le(65535)] = 8000
    key_file: Path | None = None
    insecure: bool = False
    queue_size: Annotated[int, Ge(1)] = 64
    max_batch: Annotated[int, Ge(1)] = 8
    max_cost: Annotated[float, Gt(0)] = math.inf
    max_concurrent: Annotated[int, Ge(1)] = 256
    max_body: Annotated[int, Ge(1)] = 256 << 20
    max_fields: Annotated[int, Ge(1)] = 64
    max_text: Annotated[int, Ge(1)] = 1 << 20
    upload_seconds: Annotated[float, Gt(0)] = 300.0
    drain_seconds: Annotated[float, Ge(0)] = 60.0
    host_threads: Annotated[int, Ge(1)] = 4

    def __post_init__(self) -> None:
        if not (is_loopback(self.host) or self.key_file or self.insecure):
            raise ValueError(
                f"{self.host} can be reached from other machines, so the server needs a key: "
                "name a file of keys (key_file=FILE), or allow everyone (insecure=True)"
            )


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_keys(path: Path) -> tuple[bytes, ...]:
    """Digests of the keys in a file; the keys themselves are not kept.

    Args:
        path: A key per line, plain or as `sha256:HEX`; empty lines and `#` comments are skipped.

    Returns:
        SHA-256 digests.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it holds no key, a plain key shorter than 16 characters, or a broken digest.
    """
    lines = [line.strip() for line in path.read_text().splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise ValueError(f"{path} holds no key; write one per line")
    return tuple(_digest(key, path) for key in keys)


def _digest(key: str, path: Path) -> bytes:
    prefix, _, digits = key.partition(":")
    if prefix == "sha256":
        if not re.fullmatch("[0-9a-fA-F]{64}", digits):
            raise ValueError(
                f"{path} holds sha256: without 64 hexadecimal digits; make them with: "
                "printf KEY | sha256sum"
            )
        return bytes.fromhex(digits)
    if len(key) < 16:
        raise ValueError(f"{path} holds a key of {len(key)} characters; use at least 16")
    return hashlib.sha256(key.encode()).digest()


def is_known_key(key: str, digests: tuple[bytes, ...]) -> bool:
    """Whether a key is one of the known ones, in a time that does not tell how nearly."""
    offered = hashlib.sha256(key.encode()).digest()
    known = [hmac.compare_digest(offered, digest) for digest in digests]  # all, whichever fits
    return any(known)
