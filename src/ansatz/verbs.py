"""The verbs: what one does with a recipe. `ansatz VERB RECIPE` calls the function of that name.

    fetch -> prepare -> train -> predict, check, serve, bench

Each takes the name of a recipe and overrides of its fields (`{"train.steps": 2000}`), and returns
what it made. Nothing here knows a subject.
"""

import importlib.metadata
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from ansatz.core import catalog
from ansatz.core.artifacts import digest, write_provenance
from ansatz.core.errors import unknown
from ansatz.core.findings import Case, Section
from ansatz.core.overrides import override
from ansatz.core.places import raw_folder, run_folder, shipped_folder, store_folder
from ansatz.core.recipe import Answer, Predictor, Recipe, Reference, Split
from ansatz.engine.batch import Item, ask, predict_all
from ansatz.engine.forward import Forward, device_of, engine
from ansatz.hub.plan import FetchReport
from ansatz.hub.transfer import fetch as transfer
from ansatz.report import page
from ansatz.store.samples import Store, write_samples
from ansatz.timing.clock import timed
from ansatz.trainer.distributed import device_of as training_device
from ansatz.trainer.distributed import process_group
from ansatz.trainer.loop import Outcome, run

Options = Mapping[str, object]
log = logging.getLogger("ansatz")


def fetch(
    name: str, options: Options | None = None, *, out: Path | None = None, dry_run: bool = False
) -> FetchReport:
    """Bring the raw files of a recipe.

    Args:
        name: Of the recipe.
        options: Overrides of its data, as `runs`, `kinds`; `mirror` takes another source.
        out: Where to; the cache by default.
        dry_run: Only say what would be fetched.

    Returns:
        What is there now, and what is missing.
    """
    options = dict(options or {})
    mirror = options.pop("mirror", None)
    recipe = resolve(name, options, ("data",))
    return transfer(
        recipe.data.manifest(),
        out or raw_folder(recipe),
        dry_run=dry_run,
        mirror=None if mirror is None else str(mirror),
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
        options: Overrides of the data.
        out: Folder of the result.

    Returns:
        The folder.
    """
    recipe = resolve(name, options or {}, ("data",))
    if inputs:
        return repair(recipe, inputs, out or run_folder(recipe, "prepare"))
    raw, folder = raw_folder(recipe), out or store_folder(recipe)
    if recipe.data.manifest().source.startswith("embedded:"):
        transfer(recipe.data.manifest(), raw, progress=False)
    count = sum(1 for _ in write_samples(recipe.data.samples(raw), folder))
    write_provenance(folder, recipe, overrides=options, parents={"raw": raw}, samples=count)
    log.info("%d samples in %s", count, folder)
    return folder


def repair(recipe: Recipe, inputs: Sequence[Path], out: Path) -> Path:
    """Make files fit for a recipe's model, and say what was done to each."""
    if recipe.repair is None:
        raise ValueError(f"{recipe.name} takes files as they are: there is nothing to prepare")
    for path in inputs:
        log.info("%s", path)
        for line in recipe.repair(path, out / f"{stem(path)}.stl"):
            log.info("  %s", line)
    return out


def train(name: str, options: Options | None = None, *, out: Path | None = None) -> Outcome:
    """Train the model of a recipe; goes on where an earlier run was stopped.

    Args:
        name: Of the recipe.
        options: Overrides, as `train.steps`.
        out: Folder of the run.

    Returns:
        How the run ended.
    """
    recipe = resolve(name, options or {}, ("data", "model", "objective", "train"))
    folder = out or run_folder(recipe, "train")
    store = ready_store(recipe)
    with process_group() as world:
        torch.manual_seed(recipe.train.seed)
        outcome = run(
            recipe.model.build(),
            recipe.objective,
            recipe.data.batches(store, "train", recipe.train.batch_size),
            recipe.train,
            folder=folder,
            device=training_device(world),
            world=world,
        )
        if world.is_main and outcome.weights is not None:
            write_provenance(
                folder, recipe, overrides=options, parents={"store": store}, steps=outcome.number
            )
            if recipe.calibrate is not None:
                recipe.calibrate(folder, store)
    return outcome


def predict(
    name: str,
    inputs: Sequence[Path | str],
    options: Options | None = None,
    *,
    out: Path | None = None,
) -> Iterator[Item]:
    """Answer requests, one for each input.

    Args:
        name: Of the recipe.
        inputs: Files, folders of files, or texts.
        options: Fields of the request, fields of `predict`, and `checkpoint`.
        out: Folder of the answers.

    Yields:
        The answers' rows as they come; a second call computes only what is missing.
    """
    recipe, wanted, checkpoint = asked(name, options or {})
    folder = out or run_folder(recipe, "predict")
    predictor, forward = loaded(recipe, checkpoint)
    requests = {stem(Path(word)): request(recipe, word, wanted) for word in expand(recipe, inputs)}
    yield from predict_all(
        predictor,
        requests,
        forward,
        folder,
        workers=recipe.predict.workers,
        salt=digest(checkpoint),
    )
    write_provenance(folder, recipe, overrides=options, parents={"checkpoint": checkpoint})


def check(
    name: str,
    inputs: Sequence[Path | str] = (),
    options: Options | None = None,
    *,
    out: Path | None = None,
) -> tuple[list[Section], Path]:
    """Check a recipe's answers against the truth, and write a report.

    Args:
        name: Of the recipe.
        inputs: What to ask about; none takes the test cases of the data.
        options: Fields of the request; `with` names a solver for the truth about `inputs`, `split`
            the cases to take; `checkpoint`.
        out: Folder of the report.

    Returns:
        The sections, and the report's page.
    """
    options = dict(options or {})
    solver, split = options.pop("with", None), str(options.pop("split", "test"))
    recipe, wanted, checkpoint = asked(name, options)
    folder = out or run_folder(recipe, "check")
    predictor, forward = loaded(recipe, checkpoint)
    baselines = {}
    if inputs:
        solve = reference(recipe, solver)
        questions = []
        for word in expand(recipe, inputs):
            question = request(recipe, word, wanted)
            questions.append((stem(Path(word)), question, solve(question)))
    else:
        store = ready_store(recipe)
        baselines = {who: make(store) for who, make in recipe.baselines.items()}
        questions = list(recipe.data.cases(store, as_split(split)))
    cases = list(answered(predictor, forward, questions, baselines))
    sections = [make_section(cases) for make_section in recipe.checks]
    provenance = write_provenance(
        folder, recipe, overrides=options, parents={"checkpoint": checkpoint}
    )
    title = f"{recipe.name}: {len(cases)} cases"
    return sections, page.write(
        sections,
        folder,
        recipe=recipe.name,
        title=title,
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
    # Here, not above: the server's packages are an extra.
    from ansatz.server.process import serve as serve_forever
    from ansatz.server.service import recipe_service
    from ansatz.server.settings import Settings

    options = dict(options or {})
    settings_names = {field.name for field in fields(Settings)}
    chosen = {key: options.pop(key) for key in list(options) if key in settings_names}
    settings = override(Settings(insecure=True), {"insecure": False, **chosen})
    recipe, _, checkpoint = asked(name, options)
    predictor, forward = loaded(recipe, checkpoint)
    service = recipe_service(
        recipe,
        Wrapped(predictor, forward),
        version=importlib.metadata.version("ansatz-ai"),
        checkpoint=checkpoint,
    )
    log.info("%s on http://%s:%d", recipe.name, settings.host, settings.port)
    serve_forever(service, settings)


def bench(
    name: str, inputs: Sequence[Path | str] = (), options: Options | None = None
) -> list[dict[str, Any]]:
    """Time predictions, per precision, with their error beside.

    Args:
        name: Of the recipe.
        inputs: What to ask; the first test case of the data if none.
        options: Fields of the request and of `predict`; `precision` may list several, as
            `fp32,bf16`. The first is what the others are compared with. `repeats`, 5.

    Returns:
        A row per precision: seconds of encode, forward and decode, and the largest difference of
        any number of the answer to the first precision's, relative to its size.
    """
    options = dict(options or {})
    precisions = str(options.pop("precision", "fp32,bf16")).split(",")
    repeats = int(str(options.pop("repeats", 5)))
    rows: list[dict[str, Any]] = []
    exact: dict[str, float] = {}
    for precision in precisions:
        recipe, wanted, checkpoint = asked(name, {**options, "precision": precision})
        predictor, forward = loaded(recipe, checkpoint)
        device = device_of(recipe.predict)
        if inputs:
            question = request(recipe, expand(recipe, inputs)[0], wanted)
        else:
            _, question, _ = next(iter(recipe.data.cases(ready_store(recipe), "test")))
        encoded = predictor.encode(question)
        outputs = forward(encoded.tensors)
        numbers = scalars(predictor.decode(outputs, encoded))
        exact = exact or numbers
        row: dict[str, Any] = {"precision": precision}
        stages = {
            "encode": lambda: predictor.encode(question),
            "forward": lambda: forward(encoded.tensors),
            "decode": lambda: predictor.decode(outputs, encoded),
        }
        for stage, call in stages.items():
            timing = timed(call, device, repeats)
            row |= {f"{stage}_median": timing.median, "unit": timing.unit}
        row["largest_difference"] = max(
            abs(numbers[key] - value) / max(abs(value), 0.01) for key, value in exact.items()
        )
        rows.append(row)
    return rows


def load(name: str, options: Options | None = None) -> "Wrapped":
    """A recipe's predictor, ready to be asked.

    Args:
        name: Of the recipe.
        options: Fields of `predict`, and `checkpoint`.
    """
    recipe, _, checkpoint = asked(name, options or {})
    return Wrapped(*loaded(recipe, checkpoint))


# ------------------------------------------------------------------------------- the pieces
@dataclass(frozen=True)
class Wrapped:
    """A predictor whose forward pass is an engine's.

    Attributes:
        plain: The predictor.
        engine: Its forward pass, wrapped.
    """

    plain: Predictor[Any, Any, Any]
    engine: Forward

    def __call__(self, request: object) -> Answer:
        """The answer to a request."""
        return ask(self.plain, request, self.engine)

    def encode(self, request: object) -> Any:
        """As the plain predictor."""
        return self.plain.encode(request)

    def forward(self, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """By the engine."""
        return self.engine(tensors)

    def decode(self, outputs: dict[str, torch.Tensor], encoded: Any) -> Any:
        """As the plain predictor."""
        return self.plain.decode(outputs, encoded)


def resolve(name: str, options: Options, sections: Sequence[str]) -> Recipe:
    """A recipe with overrides in some of its sections."""
    return override(catalog.find(name), options, sections)


def asked(name: str, options: Options) -> tuple[Recipe, Options, Path]:
    """A recipe with overrides of `predict`; the fields of the request; the checkpoint."""
    recipe = catalog.find(name)
    options = dict(options)
    checkpoint = options.pop("checkpoint", None)
    names = {field.name for field in fields(recipe.request)}
    wanted = {key: value for key, value in options.items() if key in names}
    own = {key.removeprefix("predict."): v for key, v in options.items() if key not in names}
    known = {field.name for field in fields(recipe.predict)} | names
    strange = [unknown("option", key, known) for key in own if key not in known]
    if strange:
        raise ValueError("\n".join(strange))
    recipe = replace(recipe, predict=override(recipe.predict, own))
    folder = shipped_folder(recipe) if checkpoint is None else Path(str(checkpoint))
    return recipe, wanted, folder


def loaded(recipe: Recipe, checkpoint: Path) -> tuple[Predictor[Any, Any, Any], Forward]:
    """A predictor and its forward pass, on the device that the recipe asks for."""
    predictor = recipe.predictor(checkpoint)
    device = device_of(recipe.predict)
    model = getattr(predictor, "model", None)
    if isinstance(model, torch.nn.Module):
        model.to(device)
    forward, notes = engine(predictor.forward, recipe.predict, device)
    for note in notes:
        log.info("%s", note)
    return predictor, forward


def ready_store(recipe: Recipe) -> Path:
    """The store of a recipe; made now if its data is embedded and it is not there or older."""
    folder = store_folder(recipe)
    if not (folder / "provenance.json").exists():
        if not recipe.data.manifest().source.startswith("embedded:"):
            Store(folder)  # says what to do
        log.info("preparing %s", recipe.name)
        transfer(recipe.data.manifest(), raw_folder(recipe), progress=False)
        for _ in write_samples(recipe.data.samples(raw_folder(recipe)), folder):
            pass
        write_provenance(folder, recipe, parents={"raw": raw_folder(recipe)})
    return folder


def expand(recipe: Recipe, inputs: Sequence[Path | str]) -> list[Path | str]:
    """Inputs with folders replaced by the files in them that the recipe takes."""
    found: list[Path | str] = []
    for word in inputs:
        path = Path(word)
        if not path.is_dir():
            found.append(word)
            continue
        files = sorted(p for p in path.iterdir() if p.name.lower().endswith(recipe.suffixes))
        if not files:
            raise FileNotFoundError(f"{path} holds no {' or '.join(recipe.suffixes)} files")
        found += files
    names = [stem(Path(word)) for word in found]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        raise ValueError(f"several inputs are named {', '.join(sorted(twice))}: rename them")
    return found


def request(recipe: Recipe, word: Path | str, wanted: Options) -> object:
    """A typed request from the word that it is about and other fields."""
    first = fields(recipe.request)[0]
    value: object = word
    if "Path" in str(first.type):
        value = Path(word)
        if not value.exists():
            raise FileNotFoundError(f"{word} does not exist")
    return override(recipe.request(value), wanted)


def stem(path: Path) -> str:
    """The name of a file without its endings."""
    return path.name.split(".")[0]


def as_split(word: str) -> Split:
    """The split of a name."""
    for split in ("train", "validation", "test"):
        if split == word:
            return split  # type: ignore[return-value]
    raise LookupError(unknown("split", word, ("train", "validation", "test")))


def answered(
    predictor: Predictor[Any, Any, Any],
    forward: Forward,
    questions: Sequence[tuple[str, Any, Any]],
    baselines: Mapping[str, Any],
) -> Iterator[Case]:
    """Cases from questions."""
    for name, question, truth in questions:
        answer = ask(predictor, question, forward)
        others = {who: baseline(question) for who, baseline in baselines.items()}
        yield Case(name, question, answer, truth, others)


def reference(recipe: Recipe, solver: object) -> Reference:
    """The solver of a name; without a name, one that knows nothing."""
    if solver is None:
        return lambda question: None
    if str(solver) not in recipe.references:
        raise LookupError(unknown("reference", str(solver), recipe.references))
    return recipe.references[str(solver)]


def scalars(answer: Answer) -> dict[str, float]:
    """The finite numbers of an answer."""
    return {
        key: float(value)
        for key, value in answer.summary().items()
        if not isinstance(value, str) and abs(float(value)) < float("inf")
    }
