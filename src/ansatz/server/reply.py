"""Answers as they leave: small ones whole, large ones piece by piece, both with their length."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from starlette.responses import Response, StreamingResponse

from ansatz.server.dialect import Arrays, Body, Bytes
from ansatz.server.npz import CHUNK, npz_chunks, npz_length


@dataclass(frozen=True)
class Packed:
    """A body on its way out.

    Attributes:
        content: Its bytes, or an iterator of pieces where they are many.
        length: Bytes in total; None if unknown, and then the client sees no progress.
        media_type: Of the body.
    """

    content: bytes | Iterator[bytes]
    length: int | None
    media_type: str


def pack(body: Body) -> Packed:
    """Turn a body into bytes, in a host thread.

    Args:
        body: An answer of a dialect.

    Returns:
        What is sent. Arrays below one piece are joined, which saves a thread's turn for each.

    Raises:
        ValueError: If an array holds Python objects, or a number in JSON is not finite.
    """
    if isinstance(body, Bytes):
        return Packed(body.data, len(body.data), body.media_type)
    if isinstance(body, Arrays):
        length = npz_length(body.arrays)
        pieces = npz_chunks(body.arrays)
        if length is not None and length <= CHUNK:
            return Packed(b"".join(pieces), length, body.media_type)
        return Packed(pieces, length, body.media_type)
    data = json.dumps(body.value, allow_nan=False).encode()
    return Packed(data, len(data), "application/json")


def response(packed: Packed, tag: str) -> Response:
    """The response with a packed body.

    Args:
        packed: The body.
        tag: Of the question. The tag is weak: another device may round otherwise.

    Returns:
        A response of status 200.
    """
    headers = {"ETag": f'W/"{tag}"'}
    if isinstance(packed.content, bytes):
        return Response(packed.content, headers=headers, media_type=packed.media_type)
    if packed.length is not None:
        headers["Content-Length"] = str(packed.length)
    return StreamingResponse(packed.content, headers=headers, media_type=packed.media_type)
