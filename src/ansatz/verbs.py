"""The verbs: what one does with a recipe. `ansatz VERB RECIPE` calls the function of that name.

    fetch -> prepare -> train -> predict, check, serve, bench

Each takes the name of a recipe and overrides of its fields (`{"train.steps": 2000}`), and returns
what it made. All options are read before anything else is done. Nothing here knows a subject.
"""

import importlib.metadata
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from ansatz.core import catalog
from ansatz.core import options as own
from ansatz.core.artifacts import PROVENANCE, Parent, digest, write_provenance
from ansatz.core.errors import require
from ansatz.core.findings import Section
from ansatz.core.places import raw_folder, run_folder, shipped_folder, store_folder
from ansatz.core.precision import PRECISIONS
from ansatz.core.recipe import PredictConfig, Recipe
from ansatz.engine.batch import Item, predict_all
from ansatz.engine.cases import (
    asked_cases,
    first_question,
    reference,
    require_inputs,
    stored_cases,
)
from ansatz.engine.forward import device_of
from ansatz.engine.inputs import Word, repair, requests
from ansatz.engine.precision.applying import compute_of, device_like
from ansatz.engine.surrogate import Surrogate, surrogate
from ansatz.hub.origin import raw_parent
from ansatz.hub.plan import FetchReport
from ansatz.hub.transfer import fetch as transfer
from ansatz.report import page
from ansatz.server.options import ServeOptions
from ansatz.store.making import finished_store, is_made_of, make_store, store_parent
from ansatz.timing.stages import Row, compare
from ansatz.trainer.distributed import World, barrier, process_group
from ansatz.trainer.distributed import device_of as training_device
from ansatz.trainer.loop import Outcome, run
from ansatz.trainer.precision import arithmetic

Options = Mapping[str, object]
Own = TypeVar("Own")
log = logging.getLogger("ansatz")


def fetch(
    name: str, options: Options | None = None, *, out: Path | None = None, dry_run: bool = False
) -> FetchReport:
    """Bring the raw files of a recipe.

    Args:
        name: Of the recipe.
        options: Overrides of its data, as `runs`, `kinds`; `mirror` takes another source, `verify`
            reads again what is there.
        out: Where to; the cache by default.
        dry_run: Only say what would be fetched.

    Returns:
        What is there now, and what is missing.
    """
    asked = ask("fetch", name, own.FetchOptions(), options)
    return transfer(
        asked.recipe.data.manifest(),
        out or raw_folder(asked.recipe),
        dry_run=dry_run,
        mirror=asked.own.mirror,
        verify=asked.own.verify,
    )


def prepare(
    name: str,
    inputs: Sequence[Path] = (),
    options: Options | None = None,
    *,
    out: Path | None = None,
) -> Path:
    """Make the store of a recipe, or make a user's files fit for its model.

    Args:
        name: Of the recipe.
        inputs: Files to make fit; none makes the store.
        options: Overrides of the data, and `raw`.
        out: Folder of the result.

    Returns:
        The folder.
    """
    asked = ask("prepare", name, own.PrepareOptions(), options)
    recipe = asked.recipe
    if inputs:
        folder = out or run_folder(recipe, "prepare")
        for line in repair(recipe, inputs, folder):
            log.info("%s", line)
        return folder
    raw = raw_parent(asked.own.raw) if asked.own.raw else raw_files(recipe)
    return make_store(recipe, raw, out or store_folder(recipe), asked.given)


def train(name: str, options: Options | None = None, *, out: Path | None = None) -> Outcome:
    """Train the model of a recipe; goes on where an earlier run was stopped.

    A stage that it builds upon is trained before, on the same data, if there is none.

    Args:
        name: Of the recipe.
        options: Overrides, as `train.steps`; `store`, `first`.
        out: Folder of the run.

    Returns:
        How the run ended.
    """
    return train_as_asked(ask("train", name, own.TrainOptions(), options), out)


def train_as_asked(asked: own.Asked[own.TrainOptions], out: Path | None = None) -> Outcome:
    """Train as `train` was asked to."""
    recipe = asked.recipe
    folder = out or run_folder(recipe, "train")
    first = None
    if recipe.needs:
        first = asked.own.first or first_stage(asked)
        if first is None:  # stopped by a signal
            return Outcome(0, "a signal, in the stage before", None)
    with process_group() as world:
        store = shared_store(recipe, asked.own.store, world)
        torch.manual_seed(recipe.train.seed)
        outcome = run(
            network(recipe, store, first),
            recipe.objective,
            recipe.data.batches(store, "train", recipe.train.batch_size),
            recipe.train,
            folder=folder,
            device=training_device(world),
            world=world,
        )
    if world.is_main and outcome.weights is not None:
        parents = {"store": store_parent(store)}
        if first is not None:
            parents["first"] = Parent(first, digest(first))
        write_provenance(
            folder, recipe, overrides=asked.given, parents=parents, steps=outcome.number
        )
        if recipe.calibrate is not None:
            recipe.calibrate(folder, store)
    return outcome


def predict(
    name: str, inputs: Sequence[Word], options: Options | None = None, *, out: Path | None = None
) -> Iterator[Item]:
    """Answer requests, one for each input.

    Args:
        name: Of the recipe.
        inputs: Files, folders of files, or texts.
        options: Fields of the request, fields of `predict`, and `checkpoint`.
        out: Folder of the answers.

    Returns:
        The answers' rows as they come; a second call computes only what is missing.
    """
    asked = ask("predict", name, own.PredictOptions(), options)
    questions = requests(asked.recipe, inputs, asked.question)
    model, checkpoint = loaded(asked.recipe, asked.own.checkpoint)
    folder = out or run_folder(asked.recipe, "predict")
    made = write_provenance(
        folder, asked.recipe, overrides=asked.given, parents={"checkpoint": checkpoint}
    )
    return predict_all(
        model,
        questions,
        folder,
        workers=asked.recipe.predict.workers,
        # Other bytes, another arithmetic or another version may give other answers.
        salt=f"{checkpoint.sha256} {arithmetic_asked(asked.recipe.predict)} {made['versions']}",
    )


def check(
    name: str,
    inputs: Sequence[Word] = (),
    options: Options | None = None,
    *,
    out: Path | None = None,
) -> tuple[list[Section], Path]:
    """Check a recipe's answers against the truth, and write a report.

    Args:
        name: Of the recipe.
        inputs: What to ask about; none takes the test cases of the data.
        options: Fields of the request, without inputs those that say how to answer; `with` names a
            solver for the truth about `inputs`, `split` the cases to take; overrides of the data;
            `checkpoint`, `store`.
        out: Folder of the report.

    Returns:
        The sections, and the report's page.
    """
    asked = ask("check", name, own.CheckOptions(), options)
    recipe = asked.recipe
    questions = requests(recipe, inputs, asked.question)
    solve = reference(recipe, asked.own.with_)
    if not inputs:
        require_inputs(asked)
    model, checkpoint = loaded(recipe, asked.own.checkpoint)
    parents = {"checkpoint": checkpoint}
    if inputs:
        cases = list(asked_cases(questions, model, solve))
    else:
        store = ready_store(recipe, asked.own.store)
        parents["store"] = store_parent(store)
        cases = list(stored_cases(recipe, store, asked.own.split, model, asked.question))
    sections = [make_section(cases) for make_section in recipe.checks]
    folder = out or run_folder(recipe, "check")
    provenance = write_provenance(folder, recipe, overrides=asked.given, parents=parents)
    return sections, page.write(
        sections,
        folder,
        recipe=recipe.name,
        title=f"{recipe.name}: {len(cases)} case{'s' * (len(cases) != 1)}",
        subtitle=recipe.title,
        provenance=provenance,
    )


def serve(name: str, options: Options | None = None) -> None:
    """Serve a recipe's model over HTTP until a signal says stop.

    Args:
        name: Of the recipe.
        options: Fields of `ansatz.server.settings.Settings`, as `host`, `port`, of `predict`, and
            `checkpoint`.
    """
    asked = ask("serve", name, ServeOptions(), options)
    require("fastapi", "serve", "a server")
    # Here, not above: the server's packages are an extra.
    from ansatz.server.process import serve as serve_forever
    from ansatz.server.service import recipe_service

    model, checkpoint = loaded(asked.recipe, asked.own.checkpoint)
    version = importlib.metadata.version("ansatz-ai")
    service = recipe_service(asked.recipe, model, checkpoint, version, model.arithmetic)
    serve_forever(service, asked.own.server)


def bench(name: str, inputs: Sequence[Word] = (), options: Options | None = None) -> list[Row]:
    """Time predictions, per precision, with their error beside.

    Args:
        name: Of the recipe.
        inputs: What to ask; the first test case of the data if none.
        options: Fields of the request and of `predict`; `precision` may list several, as
            `fp32,bf16`. The first is what the others are compared with. `repeats`.

    Returns:
        A row per precision: median and least seconds of encode, forward and decode, the largest
        relative difference of an output of the network to the first precision's, what the weights
        take, and what was done for the precision on this device.
    """
    asked = ask("bench", name, own.BenchOptions(), options)
    recipe, mine = asked.recipe, asked.own
    if inputs:
        question = next(iter(requests(recipe, inputs, asked.question).values()))
    else:
        require_inputs(asked)
        question = first_question(recipe, ready_store(recipe, mine.store), asked.question)
    recipes = {
        p: replace(recipe, predict=replace(recipe.predict, precision=p)) for p in mine.precision
    }
    models = ((p, loaded(each, mine.checkpoint)[0]) for p, each in recipes.items())
    return compare(models, question, device_of(recipe.predict), mine.repeats)


def load(name: str, options: Options | None = None) -> Surrogate:
    """A recipe's predictor, ready to be asked.

    Args:
        name: Of the recipe.
        options: Fields of `predict`, and `checkpoint`.

    Returns:
        A function from a request to an answer.
    """
    asked = ask("predict", name, own.PredictOptions(), options)
    return loaded(asked.recipe, asked.own.checkpoint)[0]


# ------------------------------------------------------------------------------- the pieces
def ask(verb: str, name: str, mine: Own, options: Options | None) -> own.Asked[Own]:
    """Read the options of a verb.

    Raises:
        LookupError: If no recipe has this name.
        ValueError: Listing everything that is wrong with the options.
    """
    return own.choose(verb, catalog.find(name), mine, options)


def loaded(recipe: Recipe, checkpoint: Path | None) -> tuple[Surrogate, Parent]:
    """A model on the device that its recipe asks for, and the checkpoint it came from."""
    folder = shipped_folder(recipe) if checkpoint is None else checkpoint
    device = device_of(recipe.predict)
    precision = PRECISIONS[recipe.predict.precision]
    how = arithmetic(compute_of(precision, device_like(device)), device)
    model = surrogate(recipe.predictor(folder), recipe.predict, how, device)
    for note in model.notes:
        log.info("%s", note)
    return model, Parent(folder, digest(folder))


def arithmetic_asked(config: PredictConfig) -> str:
    """What numbers depend on beside weights: the precision, and how it is corrected."""
    return f"{config.precision}{f' rank {config.low_rank}' if config.low_rank else ''}"


def network(recipe: Recipe, store: Path, first: Path | None) -> nn.Module:
    """The network of a new run."""
    if recipe.begin is None:
        return recipe.model.build()
    return recipe.begin(recipe.model, store, first)


def first_stage(asked: own.Asked[own.TrainOptions]) -> Path | None:
    """The checkpoint that a recipe builds upon: trained before, shipped, or trained now.

    Returns:
        Its folder; None if training it was stopped by a signal.
    """
    needed = replace(catalog.find(asked.recipe.needs), data=asked.recipe.data)
    folder = run_folder(needed, "train")
    if (folder / PROVENANCE).exists():
        return folder
    with suppress(FileNotFoundError):
        return shipped_folder(needed)
    log.info("%s builds upon %s, which is trained first", asked.recipe.name, needed.name)
    options = own.TrainOptions(store=asked.own.store)
    outcome = train_as_asked(own.Asked(needed, {}, options, asked.given), folder)
    return None if outcome.weights is None else folder


def raw_files(recipe: Recipe) -> Parent:
    """The raw files of a recipe; embedded ones are brought if they are not there."""
    raw = raw_folder(recipe)
    if is_embedded(recipe):
        transfer(recipe.data.manifest(), raw, progress=False)
    return raw_parent(raw)


def is_embedded(recipe: Recipe) -> bool:
    """Whether the distribution carries the data."""
    return recipe.data.manifest().source.startswith("embedded:")


def ready_store(recipe: Recipe, store: Path | None) -> Path:
    """The store of a recipe; that of embedded data is made if it is not there, or older.

    Args:
        recipe: Whose data it is.
        store: Where the user says it is; None takes the place of `prepare`.

    Raises:
        FileNotFoundError: If there is none, or it is unfinished.
        ValueError: If it was made with other settings of the data.
    """
    folder = store or store_folder(recipe)
    if store is None and is_embedded(recipe):
        raw = raw_files(recipe)
        return folder if is_made_of(raw, folder) else make_store(recipe, raw, folder, {})
    return finished_store(recipe, folder)


def shared_store(recipe: Recipe, store: Path | None, world: World) -> Path:
    """The store of a recipe for processes that train together, whether or not they share a disk.

    They ask in turns: the first makes a store that is not there, the others find it.
    """
    found = Path()
    for rank in range(world.ranks):
        if rank == world.rank:
            found = ready_store(recipe, store)
        barrier(world)
    return found
