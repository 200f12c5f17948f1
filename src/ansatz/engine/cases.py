"""Cases for checks: questions with the model's answers, the truth, and what baselines say."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansatz.core.errors import unknown
from ansatz.core.findings import Case
from ansatz.core.options import Asked, CheckOptions
from ansatz.core.recipe import Recipe, Reference, Split
from ansatz.engine.surrogate import Surrogate

NOTHING: Mapping[str, Any] = {}


def stored_cases(
    recipe: Recipe,
    store: Path,
    split: Split,
    model: Surrogate,
    manner: Mapping[str, Any] = NOTHING,
) -> Iterator[Case]:
    """The cases of the data, which bring their truth.

    Args:
        recipe: Gives the data and the baselines.
        store: Of the samples.
        split: To take.
        model: Answers.
        manner: Fields of the questions to change.

    Yields:
        The cases, one at a time.

    Raises:
        LookupError: If the split is empty.
    """
    baselines = {who: make(store) for who, make in recipe.baselines.items()}
    is_empty = True
    for name, stored, truth in recipe.data.cases(store, split):
        is_empty = False
        question = replace(stored, **manner)
        others = {who: baseline(question) for who, baseline in baselines.items()}
        yield Case(name, question, model(question), truth, others)
    if is_empty:
        raise LookupError(f"{store} holds no {split} cases of {recipe.name}: choose another split")


def first_question(recipe: Recipe, store: Path, manner: Mapping[str, Any] = NOTHING) -> Any:
    """The first question of the test cases, with some of its fields changed.

    Raises:
        LookupError: If there are no test cases.
    """
    for _, question, _ in recipe.data.cases(store, "test"):
        return replace(question, **manner)
    raise LookupError(f"{store} holds no test cases of {recipe.name}: give an input")


def asked_cases(questions: Mapping[str, Any], model: Surrogate, solve: Reference) -> Iterator[Case]:
    """The cases of a user's inputs, whose truth is that of a solver, if one is asked for."""
    for name, asked in questions.items():
        question, truth = solve(asked)
        yield Case(name, question, model(question), truth)


def reference(recipe: Recipe, solver: str | None) -> Reference:
    """The solver of a name; without a name, one that knows nothing.

    Raises:
        LookupError: If the recipe has no solver of this name.
    """
    if solver is None:
        return lambda question: (question, None)
    if solver not in recipe.references:
        raise LookupError(unknown("reference", solver, recipe.references))
    return recipe.references[solver]


def require_inputs(asked: Asked[Any]) -> None:
    """Refuse options that change what is asked where the data asks the questions.

    Raises:
        ValueError: If there are any.
    """
    odd = [name for name in asked.question if name not in asked.recipe.manner]
    if isinstance(asked.own, CheckOptions) and asked.own.with_ is not None:
        odd.append("with")
    if odd:
        raise ValueError(
            f"{', '.join(odd)}: such options are about an input, and none is given. The cases of "
            "the data have values of their own"
        )
