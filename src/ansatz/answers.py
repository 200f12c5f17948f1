"""What `ansatz predict` shows: a progress bar, a line per input, one CSV with a row for each."""

import csv
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ansatz import verbs
from ansatz.core import catalog
from ansatz.core.artifacts import atomic
from ansatz.core.places import run_folder
from ansatz.engine.batch import Item


def predict_files(
    name: str,
    inputs: Sequence[str],
    chosen: Mapping[str, object],
    out: Path | None,
    *,
    as_json: bool,
) -> int:
    """Predict, showing progress, and write `predictions.csv`.

    Returns:
        0, or 2 if an input could not be answered; its reason is in the CSV and on stderr.

    Raises:
        ValueError: If there are no inputs, or something is wrong with the options.
    """
    recipe = catalog.find(name)
    if not inputs:
        raise ValueError(f"ansatz predict {name} needs an input: a file, a folder or a text")
    folder = out or run_folder(recipe, "predict")
    answers = verbs.predict(name, inputs, chosen, out=folder)
    items: list[Item] = []
    with bar() as progress:
        task = progress.add_task(name, total=None, visible=False)
        for item in answers:
            items.append(item)
            progress.update(task, completed=len(items), total=item.of, visible=item.of > 1)
            if item.failed:
                progress.console.print(f"{item.name}: {item.row['error']}", markup=False)
    write_csv(folder / "predictions.csv", items)
    show(items, as_json=as_json)
    print(f"{outcome(items)}: {folder / 'predictions.csv'}", file=sys.stderr)
    return 2 if any(item.failed for item in items) else 0


def bar() -> Progress:
    """A progress bar on stderr, which stays away where there is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, soft_wrap=True),
        disable=not sys.stderr.isatty(),
    )


def outcome(items: Sequence[Item]) -> str:
    """How many inputs have answers, and how many had them before."""
    answered = sum(not item.failed for item in items)
    kept = sum(not item.is_new for item in items)
    return f"{answered} of {len(items)} answered" + (f", {kept} of them earlier" if kept else "")


def write_csv(path: Path, items: Sequence[Item]) -> None:
    """One row per item; columns are those of all rows, in the order of their first appearance."""
    columns = list(dict.fromkeys(key for item in items for key in item.row))
    with atomic(path) as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["name", *columns])
        writer.writeheader()
        writer.writerows({"name": item.name, **item.row} for item in items)


def show(items: Sequence[Item], *, as_json: bool) -> None:
    """Print all answers as JSON, or the numbers of a single one line by line."""
    if as_json:
        rows = [{"name": item.name, **item.row} for item in items]
        finite = [{key: known(value) for key, value in row.items()} for row in rows]
        print(json.dumps(finite, indent=1))
    elif len(items) == 1 and not items[0].failed:
        print_row(items[0])


def known(value: object) -> object:
    """A value, or None for a number that JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_row(item: Item) -> None:
    """The numbers of one answer, with their intervals, line by line."""
    for key, value in item.row.items():
        if key.endswith(("_low", "_high")) or value == "":
            continue
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        if f"{key}_low" in item.row:
            low, high = item.row[f"{key}_low"], item.row[f"{key}_high"]
            text += f"   ({low:.4g} to {high:.4g})"
        print(f"{key:<18} {text}")
