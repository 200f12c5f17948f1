"""Help for one recipe, read off its types: every option with its type, default and meaning."""

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

from ansatz.core import catalog
from ansatz.core.artifacts import plain
from ansatz.core.overrides import fields, is_plain, override
from ansatz.core.recipe import Recipe

SECTIONS = {
    "fetch": ("data",),
    "prepare": ("data",),
    "train": ("data", "model", "objective", "train"),
    "predict": ("request", "predict"),
    "check": ("request", "predict"),
    "serve": ("predict",),
    "bench": ("request", "predict"),
}


def describe(verb: str, name: str) -> str:
    """The page of `ansatz VERB RECIPE --help`."""
    recipe = catalog.find(name)
    lines = [f"ansatz {verb} {name}: {recipe.title}", ""]
    for section in SECTIONS[verb]:
        lines += [f"{section}:"]
        lines += [f"  {line}" for line in option_lines(recipe, section)]
        lines.append("")
    return "\n".join(lines)


def option_lines(recipe: Recipe, section: str) -> Iterator[str]:
    """A line per option of a section."""
    if section == "request":
        hints = get_type_hints(recipe.request, include_extras=True)
        for field in dataclasses.fields(recipe.request)[1:]:
            if is_plain(hints[field.name]):
                yield line(field.name, field.default, meaning(recipe.request, field.name))
        return
    part = getattr(recipe, section)
    for path, _ in fields(part):
        owner, value = part, part
        for step in path.split("."):
            owner, value = value, getattr(value, step)
        yield line(f"{section}.{path}", value, meaning(type(owner), path.rpartition(".")[2]))


def line(name: str, default: object, about: str) -> str:
    """One option."""
    return f"{name + '=' + str(default):<36} {about}"


def meaning(kind: type[Any], name: str) -> str:
    """What a field means: the first sentence about it under `Attributes:` of its class."""
    text = inspect.getdoc(kind) or ""
    found = re.search(rf"^    [\w, ]*\b{name}\b[\w, ]*: (.+(?:\n {{8}}.+)*)", text, re.MULTILINE)
    return re.split(r"(?<=[.;])\s", " ".join(found[1].split()))[0] if found else ""


def plan(verb: str, name: str, chosen: Mapping[str, object]) -> str:
    """What a verb would work with: the sections of the recipe after the overrides."""
    recipe = catalog.find(name)
    sections = tuple(part for part in SECTIONS[verb] if part != "request")
    asked = {field.name for field in dataclasses.fields(recipe.request)}
    own = {key: value for key, value in chosen.items() if key not in asked}
    own = {key: value for key, value in own.items() if key not in ("checkpoint", "with", "split")}
    resolved = override(recipe, own, sections)
    lines = [f"{verb} {name}"]
    for section in sections:
        part = getattr(resolved, section)
        lines += [f"  {section}.{path} = {plain_value(part, path)}" for path, _ in fields(part)]
    lines += [f"  {key} = {value}" for key, value in chosen.items() if key not in own]
    return "\n".join(lines)


def plain_value(part: object, path: str) -> object:
    """The value at a dotted path."""
    for step in path.split("."):
        part = getattr(part, step)
    return part if isinstance(part, str | int | float | bool) else plain(part)
