"""Dialects: how a family of clients words its questions and wants its answers.

A dialect is a pair of functions with the routes that it listens on:

    decode: Form -> request            encode: (answer, request, Form) -> Body

A long answer may be sent while it is still being computed: then its question is asked in parts.

Everything here is plain data, so a subject can describe a dialect without knowing of sockets.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Form:
    """What a client sent.

    Attributes:
        texts: Text fields by name. Numbers travel as text; what JSON nests stays JSON.
        files: Contents of the uploaded files by field name.
        path: Path of the URL, as `/v1/infer`.
        accept: Media types the client asked for; empty if it did not say.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    path: str = "/v1/infer"
    accept: str = ""

    def file(self, name: str) -> bytes:
        """Content of a file that must be there.

        Raises:
            ValueError: If it is missing, was sent as text, or is empty.
        """
        if name not in self.files:
            how = "was sent as text, not as a file" if name in self.texts else "is missing"
            raise ValueError(f"the file {name!r} {how}; send it as a part of multipart/form-data")
        if not self.files[name]:
            raise ValueError(f"the file {name!r} is empty")
        return self.files[name]


@dataclass(frozen=True)
class Arrays:
    """An answer of named arrays; travels as an npz archive, without a copy in memory."""

    arrays: Mapping[str, NDArray[Any]]
    media_type: str = "application/octet-stream"


@dataclass(frozen=True)
class Bytes:
    """An answer that is bytes already."""

    data: bytes
    media_type: str = "application/octet-stream"


@dataclass(frozen=True)
class Json:
    """An answer that JSON can hold."""

    value: object


Body = Arrays | Bytes | Json


@dataclass(frozen=True)
class Stream:
    """How an answer is sent part by part.

    Attributes:
        parts: From a request to those whose answers, encoded one after the other, are its answer.
            They are asked in turn, so that other clients come between.
        media_type: Of the whole.
        closing: Bytes after the last part.
    """

    parts: Callable[[Any], Iterable[Any]]
    media_type: str
    closing: bytes = b""


@dataclass(frozen=True)
class Dialect:
    """How one family of clients asks and is answered.

    Attributes:
        name: Of the dialect.
        routes: Paths that take POST requests.
        decode: From a form to a request of the model. Its `ValueError` is answered with 400.
        encode: From an answer, its request and the form to a body.
        form: A dataclass whose fields are those of the form (see `ansatz.server.fields`); it
            describes the form in OpenAPI, and `decode` may read with it.
        documentation: What else a client should know.
        stream: How long answers are sent while they are computed; None sends them whole.
    """

    name: str
    routes: tuple[str, ...]
    decode: Callable[[Form], Any]
    encode: Callable[[Any, Any, Form], Body]
    form: type[Any]
    documentation: str = ""
    stream: Stream | None = None
