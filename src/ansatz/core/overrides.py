"""`key=value` overrides of frozen dataclasses, typed and ranged, all errors at once.

A key is a dotted path (`train.steps=2000`) or its last parts where they are not ambiguous
(`steps=2000`). Values are read by the type of their field: numbers, `true`/`False`, `none`, lists
as `1,2` or `[1, 2]`, words; ranges are those of the type's annotation. A field whose name would be
a keyword of Python ends in an underscore, and the option does not: `with_` is set by `with=...`.
"""

import ast
import dataclasses
import math
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ansatz.core.errors import unknown

Config = TypeVar("Config")
# What users of Modulus Sym type, and what it is here.
SWITCHES = {
    ("tf32", "true"): ("precision", "tf32"),
    ("tf32", "false"): ("precision", "fp32"),
    ("jit", "true"): ("compile", "true"),
    ("jit", "false"): ("compile", "false"),
}
WORDS = {"input should be": "must be", "input should have": "must have"}


@dataclass(frozen=True)
class Leaf:
    """A value that can be overridden.

    Attributes:
        hint: Its type, with its range.
        value: What it is now; `dataclasses.MISSING` if nothing.
        owner: The dataclass that documents it.
        field: Its name there.
    """

    hint: Any
    value: object
    owner: type[Any]
    field: str


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


def override(config: Config, values: Mapping[str, object]) -> Config:
    """A copy of a configuration with some fields replaced.

    Args:
        config: A frozen dataclass, whose fields may be dataclasses in turn.
        values: New values by key; text is read by the type of its field.

    Returns:
        The new configuration. Parts in which nothing was replaced are the same objects.

    Raises:
        ValueError: Listing every unknown or ambiguous key and every value out of its range.
    """
    return rebuild(config, settle(leaves(config), values))


def settle(known: Mapping[str, Leaf], values: Mapping[str, object]) -> dict[str, object]:
    """Find the leaves that keys mean, and read their values.

    Args:
        known: What may be overridden, by dotted path.
        values: By key, as typed or as Python objects.

    Returns:
        The values by dotted path, each of the type of its leaf.

    Raises:
        ValueError: Listing everything that is wrong, a line each.
    """
    errors, found = [], {}
    for typed, told in values.items():
        key, value = (typed, told) if meant(typed, known) else switched(typed, told)
        paths = meant(key, known)
        if not paths:
            errors.append(unknown("option", key, {end for path in known for end in ends(path)}))
        elif len(paths) > 1:
            errors.append(f"{key} is ambiguous: write one of {', '.join(sorted(paths))}")
        elif paths[0] in found:
            errors.append(f"{paths[0]} is set twice")
        else:
            try:
                found[paths[0]] = convert(value, known[paths[0]])
            except ValueError as error:
                errors.append(f"{key}={value}: {error}")
    if errors:
        raise ValueError("\n".join(errors))
    return found


def switched(key: str, value: object) -> tuple[str, object]:
    """What a switch of Modulus Sym is here; what is none stays as it is."""
    prefix, dot, name = key.rpartition(".")
    found = SWITCHES.get((name, str(value).lower()))
    return (prefix + dot + found[0], found[1]) if found else (key, value)


def meant(key: str, paths: Iterable[str]) -> list[str]:
    """The paths that a key may stand for: itself, or all that end in it."""
    paths = list(paths)
    return [path for path in paths if path == key] or [p for p in paths if p.endswith("." + key)]


def ends(path: str) -> tuple[str, str]:
    """What one would type for a path: all of it, or its last part."""
    return path, path.rpartition(".")[2]


def leaves(config: object, prefix: str = "") -> dict[str, Leaf]:
    """All values in a tree of dataclasses that can be typed, by dotted path.

    What is no dataclass, as an objective that is a function, has none.
    """
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        return {}
    owner = type(config)
    hints = get_type_hints(owner, include_extras=True)
    found: dict[str, Leaf] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        path = prefix + field.name.removesuffix("_")
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            found |= leaves(value, path + ".")
        elif is_plain(hints[field.name]):
            found[path] = Leaf(hints[field.name], value, owner, field.name)
    return found


def rebuild(config: Config, values: Mapping[str, object]) -> Config:
    """A copy of a tree of dataclasses with leaves replaced, those of one dataclass together."""
    groups: dict[str, dict[str, object]] = {}
    for path, value in values.items():
        head, _, rest = path.partition(".")
        name = head if hasattr(config, head) else head + "_"
        groups.setdefault(name, {})[rest] = value
    new = {
        name: group[""] if "" in group else rebuild(getattr(config, name), group)
        for name, group in groups.items()
    }
    return dataclasses.replace(config, **new) if new else config  # type: ignore[type-var]


# -------------------------------------------------------------------------------------- types
def alternatives(hint: Any) -> Iterator[Any]:
    """The types of a union, without their annotations; a type that is none stands alone."""
    if hasattr(hint, "__metadata__"):
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, types.UnionType):
        for part in get_args(hint):
            yield from alternatives(part)
    else:
        yield hint


def is_plain(hint: Any) -> bool:
    """Whether values of this type can be typed on a command line."""
    return any(_is_plain(kind) for kind in alternatives(hint))


def _is_plain(kind: Any) -> bool:
    if is_sequence(kind):
        return all(is_plain(part) for part in get_args(kind) if part is not Ellipsis)
    return get_origin(kind) is Literal or kind in (int, float, str, bool, Path, type(None))


def is_sequence(kind: Any) -> bool:
    """Whether a type is that of lists or tuples."""
    return get_origin(kind) in (tuple, list)


# ------------------------------------------------------------------------------------- values
def convert(value: object, leaf: Leaf) -> object:
    """A value of a leaf's type, from text or from a Python object.

    Raises:
        ValueError: If it does not read as the type, or lies outside its range.
    """
    # Numbers are finite, unless the field itself begins at infinity.
    is_open = isinstance(leaf.value, float) and not math.isfinite(leaf.value)
    settings = ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=is_open)
    adapter: TypeAdapter[object] = TypeAdapter(leaf.hint, config=settings)
    try:
        return adapter.validate_python(read(value, leaf.hint) if isinstance(value, str) else value)
    except ValidationError as error:
        raise ValueError(describe(error)) from None


def read(text: str, hint: Any) -> object:
    """What a text says, as far as the kind of its field decides: nothing, a list, or the text.

    Raises:
        ValueError: If the brackets of a list do not match.
    """
    kinds = list(alternatives(hint))
    if type(None) in kinds and text.lower() in ("none", "null"):
        return None
    return read_list(text) if any(is_sequence(kind) for kind in kinds) else text


def read_list(text: str) -> object:
    """A list from `1,2`, `[1, 2]`, `(1, 2)`, `[[1, 2], [3, 4]]` or `a,b`.

    Raises:
        ValueError: If a bracket is not closed.
    """
    body = text.strip()
    if body[:1] in ("[", "("):
        if body[-1] != {"[": "]", "(": ")"}[body[0]]:
            raise ValueError(f"the list begins with {body[0]} and does not end so")
        body = body[1:-1]
    try:
        return ast.literal_eval(f"[{body}]")
    except (ValueError, SyntaxError):  # words without quotes
        return [piece.strip() for piece in body.split(",")]


def describe(error: ValidationError) -> str:
    """One line about everything that is wrong with a value."""
    faults = [item for item in error.errors(include_url=False) if item["type"] != "none_required"]
    places = [
        ".".join(str(step) for step in item["loc"] if isinstance(step, int)) for item in faults
    ]
    lines = []
    for place, item in zip(places, faults, strict=True):
        text = item["msg"][:1].lower() + item["msg"][1:]
        for long, short in WORDS.items():
            text = text.replace(long, short)
        lines.append(f"element {place} {text}" if place else text)
    return "; ".join(dict.fromkeys(lines))
