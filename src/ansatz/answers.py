"""What `ansatz predict` shows: a progress bar, a line per input, and one CSV with a row for each."""

import csv
import json
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
    """
    if not inputs:
        raise ValueError(f"give a file or a folder: ansatz predict {name} FILE")
    recipe = catalog.find(name)
    folder = out or run_folder(recipe, "predict")
    total = len(verbs.expand(recipe, inputs))
    items: list[Item] = []
    with bar(total) as progress:
        task = progress.add_task(name, total=total)
        for item in verbs.predict(name, inputs, chosen, out=folder):
            items.append(item)
            progress.advance(task)
            if item.failed:
                progress.console.print(f"{item.name}: {item.row['error']}", markup=False)
    write_csv(folder / "predictions.csv", items)
    failed = sum(item.failed for item in items)
    if as_json:
        print(json.dumps([{"name": item.name, **item.row} for item in items], indent=1))
    elif total == 1 and not failed:
        print_row(items[0])
    kept = sum(not item.is_new for item in items)
    print(
        f"{total - failed} of {total} answered"
        + (f", {kept} of them earlier" if kept else "")
        + f": {folder / 'predictions.csv'}",
        file=sys.stderr,
    )
    return 2 if failed else 0


def bar(total: int) -> Progress:
    """A progress bar on stderr, which stays away where there is no terminal or one input only."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=total == 1 or not sys.stderr.isatty(),
    )


def write_csv(path: Path, items: Sequence[Item]) -> None:
    """One row per item; columns are those of all rows, in the order of their first appearance."""
    columns = list(dict.fromkeys(key for item in items for key in item.row))
    with atomic(path) as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["name", *columns])
        writer.writeheader()
        writer.writerows({"name": item.name, **item.row} for item in items)


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
