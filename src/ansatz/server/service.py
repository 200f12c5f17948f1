"""What a server serves: one model, with the words that describe it."""

import dataclasses
import json
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansatz.core.artifacts import Parent, plain
from ansatz.core.recipe import Predictor, Recipe
from ansatz.server.batcher import unit_cost
from ansatz.server.dialect import Dialect

if TYPE_CHECKING:
    from torch import Tensor

Tensors = dict[str, "Tensor"]


@dataclass(frozen=True)
class License:
    """Under which terms the model may be used.

    Attributes:
        name: As `Apache-2.0`.
        text: In full.
        url: Where the text is published.
    """

    name: str = ""
    text: str = ""
    url: str = ""


@dataclass(frozen=True)
class Service:
    """A model behind HTTP.

    Attributes:
        name: Of the recipe, as `subject/data-size`.
        version: Of the release; `assets` tell checkpoints apart.
        predictor: Answers requests. `encode` and `decode` run in host threads, several at a
            time; `forward` runs in the one device thread.
        request: What clients ask: a dataclass whose fields are the fields of the form.
        dialects: Further ways of asking, each with its own routes.
        title: One line about the model.
        card: The model card, as Markdown.
        config: The resolved recipe as text, YAML or JSON.
        license: Of the model.
        assets: What the model consists of, as `FILE sha256:HEX`.
        arithmetic: What it computes in, and how that is done on its device; in every answer's
            header `Ansatz-Arithmetic` too.
        self_test: Raises if the model does not give its stored answer; until it has returned,
            the server is not ready. None skips it.
        forward_many: Evaluates the tensors of several requests at once, in order. None runs
            `forward` on one at a time.
        cost: Cost of a request's tensors in a batch: points, tiles, tokens.
        max_cost: Of a batch, unless the settings say less.
    """

    name: str
    version: str
    predictor: Predictor[Any, Any, Any]
    request: type[Any]
    dialects: tuple[Dialect, ...] = ()
    title: str = ""
    card: str = ""
    config: str = ""
    license: License = field(default_factory=License)
    assets: tuple[str, ...] = ()
    arithmetic: str = ""
    self_test: Callable[[], None] | None = None
    forward_many: Callable[[list[Tensors]], list[Tensors]] | None = None
    cost: Callable[[Tensors], float] = unit_cost
    max_cost: float = math.inf

    def __post_init__(self) -> None:
        if not dataclasses.is_dataclass(self.request):
            raise ValueError(f"the request type of {self.name} must be a dataclass")
        routes = [route for dialect in self.dialects for route in dialect.routes]
        if len(set(routes)) < len(routes):
            raise ValueError(f"two dialects of {self.name} share a route: {', '.join(routes)}")


def recipe_service(
    recipe: Recipe,
    predictor: Predictor[Any, Any, Any],
    checkpoint: Parent,
    version: str,
    arithmetic: str = "",
) -> Service:
    """The service of a recipe with a checkpoint.

    Args:
        recipe: Gives name, title, request type, self-test and dialects.
        predictor: Of the checkpoint.
        checkpoint: Its folder, with its digest. `README.md` in it is the model card, and `LICENSE`,
            whose first line is a name, the license.
        version: Of the release.
        arithmetic: What the predictor computes in.

    Returns:
        The service.

    Raises:
        TypeError: If an entry of `recipe.dialects` does not name a `Dialect`.
    """
    test, folder, stacking = recipe.self_test, checkpoint.path, recipe.stacking
    terms = _text(folder / "LICENSE")
    return Service(
        name=recipe.name,
        version=version,
        predictor=predictor,
        request=recipe.request,
        dialects=tuple(_dialect(where) for where in recipe.dialects.values()),
        title=recipe.title,
        card=_text(folder / "README.md"),
        license=License(terms.partition("\n")[0].strip(), terms),
        config=json.dumps(recipe, default=plain, indent=1),
        assets=(f"{folder.name} sha256:{checkpoint.sha256}",),
        arithmetic=arithmetic,
        self_test=partial(test, predictor, folder) if test is not None else None,
        forward_many=stacking.together(predictor.forward) if stacking else None,
        cost=stacking.cost if stacking else unit_cost,
        max_cost=stacking.most if stacking else math.inf,
    )


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _dialect(where: str) -> Dialect:
    found = pkgutil.resolve_name(where)
    if not isinstance(found, Dialect):
        raise TypeError(f"{where} is a {type(found).__name__} and not a Dialect")
    return found
