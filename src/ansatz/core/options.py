"""What a verb was asked for: a recipe with overrides, fields of the question, options of its own.

    ansatz check aero/cars car.stl speed=30 precision=bf16 with=openfoam
                           --+---- ---+---- ------+------- ------+------
                           input   request        predict        the verb's own

All three are read together, so that one message names everything that is wrong.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Annotated, Generic, TypeVar, get_type_hints

from annotated_types import Ge, MinLen

from ansatz.core.overrides import Leaf, is_plain, leaves, rebuild, settle
from ansatz.core.precision import PrecisionName
from ansatz.core.recipe import Recipe, Split

Own = TypeVar("Own")
REQUEST = "request"
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "fetch": ("data",),
    "prepare": ("data",),
    "train": ("data", "model", "objective", "train"),
    "predict": (REQUEST, "predict"),
    "check": (REQUEST, "predict", "data"),
    "serve": ("predict",),
    "bench": (REQUEST, "predict", "data"),
}
"""Fields of the recipe that a verb reads, and `request` for those of a question."""


@dataclass(frozen=True)
class Asked(Generic[Own]):
    """What a verb was asked for.

    Attributes:
        recipe: With overrides.
        question: Fields of the request that were set.
        own: Options of the verb.
        given: As they were given, for the provenance.
    """

    recipe: Recipe
    question: Mapping[str, object]
    own: Own
    given: Mapping[str, object]


def choose(verb: str, recipe: Recipe, own: Own, values: Mapping[str, object] | None) -> Asked[Own]:
    """Read the options of a verb.

    Args:
        verb: Its name.
        recipe: With its defaults.
        own: Further options of the verb, with their defaults.
        values: By key, as typed or as Python objects.

    Returns:
        What was asked for.

    Raises:
        ValueError: Listing every key that is unknown or ambiguous, and every value out of range.
    """
    values, sections = dict(values or {}), SECTIONS[verb]
    found = settle(options(verb, recipe, own), values)
    parts: dict[str, dict[str, object]] = {}
    for path, value in found.items():
        section, _, rest = path.partition(".")
        if rest and section in sections:
            parts.setdefault(section, {})[rest] = value
    question = parts.pop(REQUEST, {})
    mine = {p: v for p, v in found.items() if p.partition(".")[0] not in sections}
    new = {section: rebuild(getattr(recipe, section), part) for section, part in parts.items()}
    return Asked(dataclasses.replace(recipe, **new), question, rebuild(own, mine), values)


def options(verb: str, recipe: Recipe, own: object) -> dict[str, Leaf]:
    """All options of a verb, by dotted path; those of its own have no section."""
    found = leaves(own)
    for section in SECTIONS[verb]:
        if section == REQUEST:
            found |= question_leaves(recipe.request)
        else:
            found |= leaves(getattr(recipe, section), f"{section}.")
    return found


def question_leaves(request: type[object]) -> dict[str, Leaf]:
    """The fields of a request that are options: all but the first, which is the input."""
    hints = get_type_hints(request, include_extras=True)
    found = {}
    for field in dataclasses.fields(request)[1:]:  # type: ignore[arg-type]
        if is_plain(hints[field.name]):
            default = field.default
            if field.default_factory is not MISSING:
                default = field.default_factory()
            found[f"{REQUEST}.{field.name}"] = Leaf(hints[field.name], default, request, field.name)
    return found


# --------------------------------------------------------------------------- options of the verbs
@dataclass(frozen=True)
class FetchOptions:
    """Options of `fetch`.

    Attributes:
        mirror: Address of the same files elsewhere, or a folder that has them.
        verify: Read every file again instead of trusting size and time of the last run.
    """

    mirror: str | None = None
    verify: bool = False


@dataclass(frozen=True)
class PrepareOptions:
    """Options of `prepare`.

    Attributes:
        raw: Folder of the raw files; where `fetch` puts them if not given.
    """

    raw: Path | None = None


@dataclass(frozen=True)
class TrainOptions:
    """Options of `train`.

    Attributes:
        store: Folder of the samples; where `prepare` puts them if not given.
        first: Checkpoint of the stage that this one builds upon, if it does; that of the last run
            of `train` or the one that ships if not given.
    """

    store: Path | None = None
    first: Path | None = None


@dataclass(frozen=True)
class PredictOptions:
    """Options of `predict`.

    Attributes:
        checkpoint: Folder of a training run; the one that ships with the recipe if not given.
    """

    checkpoint: Path | None = None


@dataclass(frozen=True)
class CheckOptions:
    """Options of `check`.

    Attributes:
        checkpoint: Folder of a training run; the one that ships with the recipe if not given.
        store: Folder of the samples; where `prepare` puts them if not given.
        split: Which cases of the data to ask about, if no inputs are given.
        with_: A solver for the truth about the inputs.
    """

    checkpoint: Path | None = None
    store: Path | None = None
    split: Split = "test"
    with_: str | None = None


@dataclass(frozen=True)
class BenchOptions:
    """Options of `bench`.

    Attributes:
        checkpoint: Folder of a training run; the one that ships with the recipe if not given.
        store: Folder of the samples; where `prepare` puts them if not given.
        precision: To time one after the other; the first is what the others are compared with.
        repeats: How often each stage is timed.
    """

    checkpoint: Path | None = None
    store: Path | None = None
    precision: Annotated[tuple[PrecisionName, ...], MinLen(1)] = ("fp32", "bf16")
    repeats: Annotated[int, Ge(1)] = 5
