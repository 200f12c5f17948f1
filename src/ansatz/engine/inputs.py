"""From the words of a command line to named requests.

A word is a file, a folder of files, or a text: the type of the request's first field says which.
Where it takes both, a word that is no file is a text. Names are those of files without their
endings; texts that make no name of a file are shortened.
"""

import dataclasses
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING
from os.path import isdir, isfile  # which take texts that are too long for a name
from pathlib import Path
from typing import Any, get_type_hints

from ansatz.core.overrides import Leaf, alternatives, convert
from ansatz.core.recipe import Recipe

Word = Path | str
NAME = re.compile(r"[\w+-][\w+.-]{0,59}")


def requests(
    recipe: Recipe, inputs: Sequence[Word], question: Mapping[str, object]
) -> dict[str, Any]:
    """The requests of all inputs.

    Args:
        recipe: Gives the type of the request, how long ones are cut, and the endings of files to
            take from folders.
        inputs: Files, folders of files, or texts.
        question: Other fields of the request, the same for all.

    Returns:
        Requests by name, in the order of the inputs; several of one that is cut.

    Raises:
        OSError: If a file does not exist, or a folder holds none.
        ValueError: If two inputs have the same name, or an input does not read as its type.
    """
    found: dict[str, Any] = {}
    for word in expand(recipe, inputs):
        asked = request(recipe, word, question)
        for ending, part in recipe.parts(asked) if recipe.parts else [("", asked)]:
            name = name_of(recipe, word) + ending
            if name in found:
                raise ValueError(f"several inputs are named {name}: rename one, or ask separately")
            found[name] = part
    return found


def request(recipe: Recipe, word: Word, question: Mapping[str, object]) -> Any:
    """A typed request about one input.

    Raises:
        OSError: If the input is a file and does not exist.
        ValueError: If the input does not read as its type, or a field of the request is missing.
    """
    first, *others = dataclasses.fields(recipe.request)
    if is_file(recipe, word):
        value: object = Path(word)
        if not isfile(word):
            raise FileNotFoundError(f"{word} is not a file: give a file, or a folder of files")
    else:
        hint = get_type_hints(recipe.request, include_extras=True)[first.name]
        try:
            value = convert(str(word), Leaf(hint, MISSING, recipe.request, first.name))
        except ValueError as error:
            raise ValueError(f"{word}: {error}") from None
    required = [f.name for f in others if f.default is f.default_factory is MISSING]
    missing = [name for name in required if name not in question]
    if missing:
        raise ValueError(f"a question of {recipe.name} needs {', '.join(missing)}=...")
    return recipe.request(value, **question)


def expand(recipe: Recipe, inputs: Sequence[Word]) -> Iterator[Word]:
    """Inputs with folders replaced by the files in them that the recipe takes.

    Raises:
        FileNotFoundError: If a folder holds none.
    """
    for word in inputs:
        if not takes_files(recipe) or not isdir(word):
            yield word
            continue
        paths = sorted(path for path in Path(word).iterdir() if is_taken(recipe, path))
        if not paths:
            raise FileNotFoundError(f"{word} holds no {' or '.join(recipe.suffixes)} files")
        yield from paths


def is_taken(recipe: Recipe, path: Path) -> bool:
    """Whether a file of a folder is an input; hidden files, as `._car.stl` of macOS, are not."""
    return path.name.lower().endswith(recipe.suffixes) and not path.name.startswith(".")


def takes_files(recipe: Recipe) -> bool:
    """Whether the input of a recipe may be a file."""
    return Path in _kinds(recipe)


def takes_texts(recipe: Recipe) -> bool:
    """Whether the input of a recipe may be a text."""
    return Path not in _kinds(recipe) or str in _kinds(recipe)


def is_file(recipe: Recipe, word: Word) -> bool:
    """Whether a word is meant as a file."""
    return takes_files(recipe) and (not takes_texts(recipe) or isfile(word))


def _kinds(recipe: Recipe) -> tuple[Any, ...]:
    hints = get_type_hints(recipe.request)
    return tuple(alternatives(hints[dataclasses.fields(recipe.request)[0].name]))


def name_of(recipe: Recipe, word: Word) -> str:
    """What answers about an input are called."""
    if is_file(recipe, word):
        name = Path(word).name
        fitting = [s for s in recipe.suffixes if name.lower().endswith(s) and len(s) < len(name)]
        return name[: -len(max(fitting, key=len))] if fitting else Path(word).stem
    text = str(word)
    if NAME.fullmatch(text):
        return text
    short = re.sub(r"\W+", "-", text)[:40].strip("-")
    return f"{short}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def repair(recipe: Recipe, inputs: Sequence[Word], out: Path) -> Iterator[str]:
    """Make files fit for a recipe's model.

    Args:
        recipe: Knows how.
        inputs: The files.
        out: Folder of the results.

    Yields:
        What is done to each, line by line.

    Raises:
        ValueError: If the recipe takes files as they are.
    """
    if recipe.repair is None:
        raise ValueError(f"{recipe.name} takes files as they are: there is nothing to prepare")
    ending = recipe.suffixes[0] if recipe.suffixes else ""
    for path in expand(recipe, inputs):
        yield str(path)
        for line in recipe.repair(Path(path), out / f"{name_of(recipe, path)}{ending}"):
            yield f"  {line}"
