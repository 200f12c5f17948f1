"""Requests read off their own type: the fields of a dataclass are the fields of a form.

Numbers, words and switches are parsed by the type of the field and held to the ranges of its
annotation. Bytes come as uploaded files, arrays as uploaded npy files; in a JSON body they are
base64 text and nested lists. What has no such form, and what names a file on the server's disk,
cannot be set from outside.
"""

import base64
import binascii
import contextlib
import dataclasses
import json
import types
from collections.abc import Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from ansatz.core.errors import unknown
from ansatz.core.overrides import is_plain
from ansatz.server.dialect import Form
from ansatz.server.npz import read_npy

FINITE = ConfigDict(allow_inf_nan=False, arbitrary_types_allowed=True)
R = TypeVar("R")
Kind = Literal["text", "file", "array"]


@dataclass(frozen=True)
class FormField:
    """One field of a form.

    Attributes:
        name: As in the dataclass.
        kind: How it travels.
        required: Whether the dataclass has no default for it.
        adapter: Parses the text of the field.
    """

    name: str
    kind: Kind
    required: bool
    adapter: TypeAdapter[Any]


def form_fields(request: type[Any]) -> tuple[FormField, ...]:
    """The fields of a request type that a client can set.

    Args:
        request: A dataclass.

    Returns:
        Its fields in order, without those of types that no text or file can hold.
    """
    hints = get_type_hints(request, include_extras=True)
    found = []
    for field in dataclasses.fields(request):
        parts = list(_parts(hints[field.name]))
        kind = _kind(parts)
        if kind is not None:
            required = field.default is MISSING and field.default_factory is MISSING
            # What is no text travels as bytes, and its adapter only describes it.
            adapter = _adapter([p for p in parts if is_plain(p)] if kind == "text" else [str])
            found.append(FormField(field.name, kind, required, adapter))
    return tuple(found)


def _adapter(parts: Sequence[Any]) -> TypeAdapter[Any]:
    union: Any = Union[tuple(parts)]  # noqa: UP007 (`|` takes no tuple)
    return TypeAdapter(union, config=FINITE)


def _parts(hint: Any, extras: tuple[Any, ...] = ()) -> list[Any]:
    """The members of a union, each with the annotations of the whole.

    Paths are left out: what names a file on the server must not come from outside.
    """
    if get_origin(hint) is Annotated:
        return _parts(get_args(hint)[0], (*extras, *hint.__metadata__))
    if get_origin(hint) in (Union, types.UnionType):
        return [part for member in get_args(hint) for part in _parts(member, extras)]
    if _names_a_file(hint):
        return []
    return [Annotated[(hint, *extras)] if extras and hint is not type(None) else hint]


def _names_a_file(hint: Any) -> bool:
    """Whether values of a type hold paths, as a path or a list of paths."""
    is_path = isinstance(hint, type) and issubclass(hint, Path)
    return is_path or any(_names_a_file(part) for part in get_args(hint))


def _kind(parts: Sequence[Any]) -> Kind | None:
    # NDArray[...] has an origin, jaxtyping's Float[np.ndarray, "n 3"] an array type.
    plain = [getattr(part, "array_type", get_origin(part) or part) for part in parts]
    if bytes in plain:
        return "file"
    if np.ndarray in plain:
        return "array"
    readable = [part for part in parts if is_plain(part) and part is not type(None)]
    return "text" if readable else None


def read_request(form: Form, request: type[R], fields: Sequence[FormField]) -> R:
    """Build a request from a form.

    Args:
        form: What the client sent.
        request: The dataclass to build.
        fields: `form_fields(request)`.

    Returns:
        The request.

    Raises:
        ValueError: Listing every unknown, missing or unreadable field, or what the dataclass
            itself objects to.
    """
    known = {field.name: field for field in fields}
    sent = [*form.texts, *form.files]
    errors = [unknown("field", name[:40], known) for name in sent if name not in known]
    values: dict[str, object] = {}
    for field in fields:
        if field.name in sent:
            try:
                values[field.name] = _value(form, field)
            except ValueError as error:
                errors.append(f"{field.name}: {_sentence(error)}")
        elif field.required:
            errors.append(f"{field.name} is missing")
    if errors:
        raise ValueError("\n".join(errors))
    return request(**values)


def _value(form: Form, field: FormField) -> object:
    if field.kind == "text":
        if field.name in form.files:
            raise ValueError("is a text field and was sent as a file")
        return _parse(form.texts[field.name], field.adapter)
    if field.name in form.files:
        data = form.file(field.name)
        return data if field.kind == "file" else read_npy(data)
    text = form.texts[field.name]
    return _from_base64(text) if field.kind == "file" else _from_lists(text)


def _parse(text: str, adapter: TypeAdapter[Any]) -> Any:
    if text[:1] in ("[", "{"):
        # Most likely JSON; where the field takes plain text, that is what it is.
        with contextlib.suppress(ValidationError):
            return adapter.validate_json(text)
    return adapter.validate_strings(text)


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"neither an uploaded file nor base64 text ({error})") from None


def _from_lists(text: str) -> object:
    try:
        array = np.asarray(json.loads(text), np.float64)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"neither an uploaded npy file nor nested lists ({error})") from None
    return array


def _sentence(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        messages = dict.fromkeys(item["msg"] for item in error.errors())
        return "; ".join(message[:1].lower() + message[1:] for message in messages)
    return str(error)


def form_schema(fields: Sequence[FormField]) -> dict[str, object]:
    """The JSON schema of a form, for OpenAPI."""
    binary = {"type": "string", "format": "binary"}
    properties = {
        field.name: field.adapter.json_schema() if field.kind == "text" else binary
        for field in fields
    }
    required = [field.name for field in fields if field.required]
    return {"type": "object", "properties": properties, "required": required}
