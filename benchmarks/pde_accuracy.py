"""How long a problem takes to a given error: CPU seconds of the whole process, from a cold start.

    export OMP_NUM_THREADS=1
    python benchmarks/pde_accuracy.py ours cavity-100 --seconds 600
    peer-sym/bin/python benchmarks/pde_accuracy.py physicsnemo-sym cavity-100 --seconds 86400 \
        --folder runs/sym

and all of it, one after the other, into one file:

    python benchmarks/pde_accuracy.py all --sym peer-sym/bin/python --seconds 86400 \
        --folder runs/sym --out benchmarks/results/pde_accuracy.json

Ours are the recipes as they are, which is what `pde.solve` does without options. PhysicsNeMo Sym is
asked for the cavity only, as in its example (`pde_sym`), but for the viscosity, which its example
sets to Re = 10: points, weights, network, Adam and its decay, derivatives (`func_arch`) are the
example's. `--way autodiff` and `--way mfd` take Sym's other derivatives.

A problem is solved when all its known solutions are within their bounds: both center lines of the
cavity within 0.01 of every value of Ghia, Ghia and Shin (1982), Kovasznay's flow within 1e-4 in
relative L2. Every so often the fields are held against them, and the seconds of that are taken off;
imports, the drawing of points and compilation count. Each look is a line of JSON: seconds, steps,
and for each known solution relative L2 error and largest difference. The last line of a problem
says when it was solved, or `>` and the budget.

Sym's run goes on from its last checkpoint in `--folder`, with the seconds spent so far.
"""

import argparse
import json
import platform
import runpy
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch
from side_by_side import HERE, Row, rows

PROBLEMS = ("kovasznay", "cavity-100", "cavity-400")
FIRST, GROWTH = 2.0, 1.1  # CPU seconds to the first look, and from one to the next
SAVE = 50  # steps between Sym's checkpoints
WITHIN = 0.01  # of Ghia's values
Errors = dict[str, tuple[float, float]]
Result = TypeVar("Result")


class Watch:
    """CPU seconds of this process without those of looking.

    Attributes:
        budget: When to give up.
    """

    def __init__(self, budget: float, spent: float = 0.0) -> None:
        self.budget = budget
        self._began = time.process_time() - spent if spent else 0.0
        self._next = max(FIRST, spent)

    @property
    def spent(self) -> float:
        """Seconds so far."""
        return time.process_time() - self._began

    @property
    def is_over(self) -> bool:
        """Whether the budget is spent."""
        return self.spent >= self.budget

    def is_due(self) -> bool:
        """Whether it is time for a look; then the next one is later."""
        if self.spent < self._next and not self.is_over:
            return False
        self._next = GROWTH * max(self._next, self.spent)
        return True

    def aside(self, call: Callable[[], Result]) -> Result:
        """What a call gives; its seconds do not count."""
        began = time.process_time()
        found = call()
        self._began += time.process_time() - began
        return found


def line(watch: Watch, steps: int, errors: Errors) -> Row:
    """What a look found."""
    shown = {name: [float(f"{e:.3g}") for e in pair] for name, pair in errors.items()}
    return {"cpu_seconds": round(watch.spent, 1), "steps": steps, "errors": shown}


def verdict(watch: Watch, is_solved: bool) -> Row:
    """The last line."""
    return {"solved_after": round(watch.spent, 1) if is_solved else f">{watch.budget:g}"}


def ours(problem: str, options: argparse.Namespace) -> Iterator[Row]:
    """Train a recipe as `pde.solve` does."""
    from ansatz.pde.collocation import collocation
    from ansatz.trainer.loop import fit

    watch, recipe = Watch(options.seconds), recipe_of(problem)
    truths = watch.aside(recipe.data.truths)
    train = replace(recipe.train, steps=10**9, save_every=0, log_every=10**9, seed=options.seed)
    torch.manual_seed(options.seed)
    trial = recipe.model.build()
    points = collocation(recipe.data.problem, train.batch_size, recipe.data.sampling)
    is_solved = False
    for step in fit(trial, recipe.objective, points, train, device=torch.device("cpu")):
        if not watch.is_due():
            continue
        found = watch.aside(lambda: {t.name: misses(trial, recipe, t) for t in truths})
        yield line(watch, step.number, found)
        is_solved = all(_holds(truth.bounds, found[truth.name]) for truth in truths)
        if is_solved or watch.is_over:
            break
    yield verdict(watch, is_solved)


def recipe_of(problem: str) -> Any:
    """A recipe that ships."""
    from ansatz.core.catalog import find

    return find({"cavity-100": "pde/cavity"}.get(problem, f"pde/{problem}"))


def misses(trial: Any, recipe: Any, truth: Any) -> tuple[float, float]:
    """Relative L2 error and largest difference of the first fields of a known solution."""
    from ansatz.pde.trial import everywhere
    from ansatz.pde.truth import errors, kinds

    names = next(iter(kinds(truth)))[1]
    fields = {f.func.__name__: f for f in recipe.data.problem.fields}
    evaluate = trial.evaluation({name: fields[name] for name in names})
    place = {name: torch.from_numpy(values.copy()) for name, values in truth.place.items()}
    found = {n: v.double().numpy() for n, v in everywhere(evaluate, place).items()}
    return errors(truth, found, names)


def _holds(bounds: Any, found: tuple[float, float]) -> bool:
    limits = (bounds.get("rel_l2", float("inf")), bounds.get("max_error", float("inf")))
    return all(error <= limit for error, limit in zip(found, limits, strict=True))


def sym(problem: str, options: argparse.Namespace) -> Iterator[Row]:
    """Train Sym's cavity by its own solver; looks are printed as it goes."""
    import pde_sym

    reynolds = int(problem.partition("-")[2])
    folder = (options.folder / f"{problem}-{options.way}").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    account = folder / "seconds.json"
    torch.manual_seed(options.seed)
    cavity = pde_sym.cavity(
        folder, way=options.way, viscosity=pde_sym.WIDTH / reynolds, save_every=SAVE
    )
    spent = json.loads(account.read_text()) if account.exists() else 0.0
    watch = Watch(options.seconds, spent)
    center = center_lines(reynolds)
    looks: list[tuple[Row, bool]] = []

    def stop(step: int) -> bool:
        if step % SAVE == 1:  # Sym has just saved
            account.write_text(json.dumps(watch.spent))
        if not watch.is_due():
            return False
        found = watch.aside(lambda: {n: c(cavity.fields) for n, c in center.items()})
        is_solved = all(largest <= WITHIN for _, largest in found.values())
        looks.append((line(watch, step, found), is_solved))
        print(json.dumps(heading("physicsnemo-sym", problem) | looks[-1][0]), flush=True)
        return is_solved or watch.is_over

    pde_sym.until(stop, cavity)
    yield verdict(watch, looks[-1][1])


def center_lines(reynolds: int) -> dict[str, Callable[[Any], tuple[float, float]]]:
    """The differences of fields of Sym's cavity to Ghia's tables, u upright and v across."""
    import pde_sym

    tables = runpy.run_path(str(HERE.parent / "src/ansatz/pde/exact/published.py"))

    def line_of(axis: int, component: str, ends: str) -> Callable[[Any], tuple[float, float]]:
        sound = tables[ends] != tables["MISPRINTS"].get((component, reynolds))
        along = torch.tensor(tables[ends][sound], dtype=torch.float32)
        value = torch.tensor(tables[f"GHIA_{component.upper()}"][reynolds][sound])
        place = torch.zeros(len(along), 2)
        place[:, axis] = pde_sym.WIDTH * (along - 0.5)

        def difference(fields: Any) -> tuple[float, float]:
            with torch.no_grad():
                miss = fields(place)[:, 1 - axis].double() - value
            return float(miss.norm() / value.norm()), float(miss.abs().max())

        return difference

    upright, across = line_of(1, "u", "GHIA_Y"), line_of(0, "v", "GHIA_X")
    return {"center-line-x": upright, "center-line-y": across}


def heading(library: str, problem: str) -> Row:
    """What every line begins with."""
    package = {"ours": "ansatz-ai", "physicsnemo-sym": "nvidia-physicsnemo.sym"}[library]
    about: Row = {"library": library, "problem": problem, "version": version(package)}
    about |= {"torch": torch.__version__, "python": platform.python_version()}
    return about | {"threads": torch.get_num_threads()}


def side_by_side(options: argparse.Namespace) -> Row:
    """Ours, then Sym's, and how many times as long Sym takes."""
    from ansatz.core.artifacts import machine, versions

    cavities = [problem for problem in options.problems if problem != "kovasznay"]
    program, shared = "benchmarks/pde_accuracy.py", ["--seed", str(options.seed)]
    shared += ["--seconds", str(options.seconds)]
    commands = [[sys.executable, program, "ours", each, *shared] for each in options.problems]
    saved = ["--folder", str(options.folder.resolve()), "--way", options.way]
    for each in cavities if options.sym else []:
        commands.append([options.sym, program, "physicsnemo-sym", each, *shared, *saved])
    found: list[Row] = []
    for command in commands:
        for row in rows(command):
            print(json.dumps(row), flush=True)
            found.append(row)
    after = {(r["library"], r["problem"]): r["solved_after"] for r in found if "solved_after" in r}
    return {
        "command": " ".join(["python", *sys.argv]),
        "machine": machine(),
        "versions": versions(),
        "runs": [" ".join(command) for command in commands],
        "solved_after": [
            {"library": library, "problem": problem, "cpu_seconds": seconds}
            for (library, problem), seconds in after.items()
        ],
        "sym_over_ours": {
            problem: ratio(after["physicsnemo-sym", problem], after["ours", problem])
            for problem in cavities
            if ("physicsnemo-sym", problem) in after
        },
        "rows": found,
    }


def ratio(peer: Any, own: Any) -> str:
    """How many times as long; `>` where the peer has not come to an end."""
    if isinstance(own, str):
        return f"none: ours took {own}"
    times = float(str(peer).removeprefix(">")) / own
    return f"{'>' * isinstance(peer, str)}{times:.3g}"


LIBRARIES = {"ours": ours, "physicsnemo-sym": sym}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("library", choices=[*LIBRARIES, "all"])
    parser.add_argument("problems", nargs="*", default=list(PROBLEMS), help=", ".join(PROBLEMS))
    parser.add_argument("--seconds", type=float, default=600.0, help="CPU seconds for each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--way", choices=["autodiff", "func_arch", "mfd"], default="func_arch")
    parser.add_argument("--folder", type=Path, default=Path("runs/sym"), help="Sym's checkpoints")
    parser.add_argument("--sym", help="python that has PhysicsNeMo Sym")
    parser.add_argument("--out", type=Path, help="file for the results of all")
    options = parser.parse_args()
    if strangers := set(options.problems) - set(PROBLEMS):
        parser.error(f"unknown problems {sorted(strangers)}: take some of {', '.join(PROBLEMS)}")
    if options.library == "physicsnemo-sym" and "kovasznay" in options.problems:
        parser.error("PhysicsNeMo Sym has no example of kovasznay: take cavity-100, cavity-400")
    if options.library == "all":
        text = json.dumps(side_by_side(options), indent=1)
        if options.out:
            options.out.write_text(text + "\n")
        return
    if len(options.problems) > 1:
        parser.error("one problem at a time: seconds are those of the process")
    torch.set_num_threads(1)
    (problem,) = options.problems
    for row in LIBRARIES[options.library](problem, options):
        print(json.dumps(heading(options.library, problem) | row), flush=True)


if __name__ == "__main__":
    main()
