"""`key=value` overrides of frozen dataclasses, typed and ranged, all errors at once.

A key is a dotted path (`train.steps=2000`) or its last part where that is not ambiguous
(`steps=2000`). Values are parsed by the field's type: numbers, `true`/`False`, `none`, JSON for
tuples, plain text otherwise; the ranges are those of the type's annotation.
"""

import dataclasses
import json
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ansatz.core.errors import unknown

Config = TypeVar("Config")


def parse(words: Sequence[str]) -> dict[str, str]:
    """Split `key=value` words.

    Args:
        words: As typed.

    Returns:
        Values by key.

    Raises:
        ValueError: If a word has no `=`, an empty key, or a key comes twice.
    """
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise ValueError(
                f"{word!r} is not an override: write key=value, as in train.steps=2000"
            )
        if key in found:
            raise ValueError(f"{key} is set twice: to {found[key]!r} and to {value!r}")
        found[key] = value
    return found


def override(config: Config, values: Mapping[str, object], sections: Sequence[str] = ()) -> Config:
    """A copy of a configuration with some fields replaced.

    Args:
        config: A frozen dataclass, whose fields may be dataclasses in turn.
        values: New values by key; text is parsed by the type of its field.
        sections: Fields of `config` that may be overridden; all if empty.

    Returns:
        The new configuration; `config` is unchanged.

    Raises:
        ValueError: Listing every unknown or ambiguous key and every value out of its range.
    """
    leaves = {path: hint for path, hint in fields(config) if allowed(path, sections)}
    errors, new = [], {}
    for key, value in values.items():
        matches = [path for path in leaves if path == key] or [
            path for path in leaves if path.endswith("." + key)
        ]
        if not matches:
            shorts = {path.rpartition(".")[2] for path in leaves} | set(leaves)
            errors.append(unknown("option", key, shorts))
        elif len(matches) > 1:
            errors.append(f"{key} is ambiguous: write one of {', '.join(sorted(matches))}")
        else:
            try:
                new[matches[0]] = convert(value, leaves[matches[0]])
            except ValidationError as error:
                errors += [f"{key}={value}: {describe(item)}" for item in error.errors()]
    if errors:
        raise ValueError("\n".join(errors))
    for path, value in new.items():
        config = replace(config, path.split("."), value)
    return config


def allowed(path: str, sections: Sequence[str]) -> bool:
    """Whether a path lies in one of the sections."""
    return not sections or path.partition(".")[0] in sections


def fields(config: object, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted paths of all leaves of a tree of dataclasses, with their types."""
    hints = get_type_hints(type(config), include_extras=True)
    for field in dataclasses.fields(config):  # type: ignore[arg-type]
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from fields(value, f"{prefix}{field.name}.")
        elif is_plain(hints[field.name]):
            yield prefix + field.name, hints[field.name]


def is_plain(hint: Any) -> bool:
    """Whether values of this type can be typed on a command line."""
    hint = (
        get_args(hint)[0]
        if get_origin(hint) is not None and hasattr(hint, "__metadata__")
        else hint
    )
    if get_origin(hint) in (Union, types.UnionType):
        return any(is_plain(part) for part in get_args(hint))
    if get_origin(hint) in (tuple, list):
        return all(is_plain(part) for part in get_args(hint) if part is not Ellipsis)
    if get_origin(hint) is not None:
        return str(get_origin(hint)) == "typing.Literal"
    return hint in (int, float, str, bool, Path, type(None))


def convert(value: object, hint: Any) -> Any:
    """A value of a field's type, from text or from a Python object.

    Raises:
        ValidationError: If the text does not read as the type, or lies outside its range.
    """
    settings = ConfigDict(arbitrary_types_allowed=True)
    adapter: TypeAdapter[Any] = TypeAdapter(hint, config=settings)
    if isinstance(value, str):
        if value.lower() in ("none", "null"):
            value = None
        elif value[:1] in "[{":
            value = json.loads(value)
    return adapter.validate_python(value)


def describe(error: Mapping[str, Any]) -> str:
    """One line about a validation error, in lower case."""
    message = str(error["msg"])
    return message[:1].lower() + message[1:]


def replace(config: Config, path: Sequence[str], value: object) -> Config:
    """A copy of a tree of dataclasses with one leaf replaced."""
    head, *rest = path
    inner = replace(getattr(config, head), rest, value) if rest else value
    return dataclasses.replace(config, **{head: inner})  # type: ignore[type-var]
