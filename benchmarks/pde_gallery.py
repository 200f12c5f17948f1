"""Solve the problems that ship, and write their checkpoints, cards and pictures.

    export OMP_NUM_THREADS=1
    python benchmarks/pde_gallery.py --runs runs/gallery

Each is trained as `ansatz train NAME` does it, in a process of its own whose CPU seconds are taken,
then checked. The checkpoint and its card go to `src/ansatz/pde/embedded`, pictures to
`docs/images/pde`, the page to `docs/gallery.md`, figures to `benchmarks/results/pde_gallery.json`.
A run that was stopped goes on; its seconds are those of all its parts.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from side_by_side import HERE, ONE_THREAD, Row

from ansatz.core.artifacts import machine, versions
from ansatz.core.places import home

ROOT = HERE.parent
EMBEDDED = ROOT / "src/ansatz/pde/embedded"
IMAGES = ROOT / "docs/images/pde"
WIDTH = 1000


@dataclass(frozen=True)
class Exhibit:
    """A problem in the gallery.

    Attributes:
        points: What its picture is asked at.
        options: Fixed inputs of the picture.
        text: What one sees.
    """

    points: str
    text: str
    options: tuple[str, ...] = field(default_factory=tuple)


GALLERY = {
    "pde/cavity": Exhibit("201", "A lid drags the fluid in a box; the corners are exact."),
    "pde/cavity-400": Exhibit("201", "The same at Re = 400."),
    "pde/heat-sink": Exhibit("151x31x18", "Laminar flow through three fins: how much pressure?"),
    "pde/kovasznay": Exhibit("201", "Flow behind a grid, from a cold start in seconds."),
    "pde/taylor-green": Exhibit("101", "Vortices decay; periodic, unsteady.", ("t=2",)),
    "pde/beltrami": Exhibit("101", "Unsteady flow in three dimensions.", ("z=0.3", "t=1")),
    "pde/burgers": Exhibit("201", "A sine steepens to a shock."),
    "pde/allen-cahn": Exhibit("201", "Phases separate along thin walls."),
    "pde/helmholtz": Exhibit("201", "Several waves."),
    "pde/heated-fin": Exhibit("101", "One solution for fins of every height.", ("height=1.4",)),
    "pde/unknown-diffusivity": Exhibit("101", "A diffusivity from noisy measurements."),
}


def ansatz(*words: str) -> tuple[str, float]:
    """What a command prints, and its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "ansatz", *words]
    run = subprocess.run(command, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, text=True)
    if run.returncode not in (0, 1):  # 1 is a check that failed
        raise RuntimeError(f"{' '.join(command)} ended with {run.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return run.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def solve(name: str, runs: Path) -> Row:
    """Train and check a problem; returns its row."""
    run = runs / name
    account = run / "seconds.json"
    spent = json.loads(account.read_text()) if account.exists() else 0.0
    _, seconds = ansatz("train", name, "--out", str(run))
    account.write_text(json.dumps(spent + seconds))
    checked, _ = ansatz(
        "check", name, f"checkpoint={run}", "--json", "--out", str(runs / f"{name}-check")
    )
    findings = [f for f in json.loads(checked)["findings"] if f["bound"] is not None]
    return {
        "problem": name,
        "cpu_seconds": round(spent + seconds, 1),
        "findings": [{k: f[k] for k in ("name", "value", "bound", "passed")} for f in findings],
    }


def ship(name: str, row: Row, runs: Path) -> None:
    """Put checkpoint, card and picture where they belong."""
    run, short = runs / name, name.partition("/")[2]
    folder = EMBEDDED / short
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(run / "model.safetensors", folder)
    # Where the store was on this machine is nobody else's business.
    about = (run / "provenance.json").read_text().replace(str(home()), "~/.cache/ansatz")
    (folder / "provenance.json").write_text(about)
    (folder / "README.md").write_text(card(name, row, folder))
    exhibit, out = GALLERY[name], runs / f"{name}-picture"
    ansatz(
        "predict", name, exhibit.points, *exhibit.options, f"checkpoint={run}", "--out", str(out)
    )
    IMAGES.mkdir(parents=True, exist_ok=True)
    (picture,) = out.glob("*.png")
    shrink(picture, IMAGES / f"{short}.png")


def shrink(picture: Path, target: Path) -> None:
    """A picture of `WIDTH` points and few colors: a page does not need more."""
    with Image.open(picture) as image:
        size = (WIDTH, round(image.height * WIDTH / image.width))
        image.convert("RGB").resize(size, Image.Resampling.LANCZOS).quantize(96).save(
            target, optimize=True
        )


def card(name: str, row: Row, folder: Path) -> str:
    """The model card of a solution."""
    size = (folder / "model.safetensors").stat().st_size / 1000
    about = json.loads((folder / "provenance.json").read_text())
    return f"""# Model card: {name}

| | |
|---|---|
| what | a network of {size:.0f} kB that solves one problem: {GALLERY[name].text} |
| data | none: the equations and conditions in `provenance.json` |
| command | `ansatz train {name}`: {row["cpu_seconds"]:.0f} CPU seconds of one core |
| licence | Apache-2.0 |
| errors | {errors(row)} |
| versions | ansatz {about["versions"]["ansatz-ai"]}, torch {about["versions"]["torch"]} |
"""


def errors(row: Any) -> str:
    """The errors of a row in words."""
    return "; ".join(
        f"{f['name'].replace('_', ' ')} {f['value']:.2g} (bound {f['bound']:g})"
        for f in row["findings"]
    )


def page(rows: list[Any]) -> str:
    """The gallery."""
    parts = [
        "# Gallery\n\nThe problems that ship, solved on one core, as `ansatz predict` paints them "
        "with the checkpoints that ship.\nMade by `python benchmarks/pde_gallery.py`.\n"
    ]
    for row in rows:
        name, exhibit = row["problem"], GALLERY[row["problem"]]
        asked = " ".join(["ansatz predict", name, exhibit.points, *exhibit.options])
        parts.append(
            f"## {name}\n\n{exhibit.text} {row['cpu_seconds']:.0f} CPU seconds; {errors(row)}.\n\n"
            f"```sh\n{asked}\n```\n\n![{name}](images/pde/{name.partition('/')[2]}.png)\n"
        )
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("problems", nargs="*", default=list(GALLERY))
    parser.add_argument("--runs", type=Path, default=Path("runs/gallery"))
    options = parser.parse_args()
    results = HERE / "results/pde_gallery.json"
    known = json.loads(results.read_text())["rows"] if results.exists() else []
    rows = {row["problem"]: row for row in known}
    for name in options.problems:
        rows[name] = solve(name, options.runs)
        ship(name, rows[name], options.runs)
        print(json.dumps(rows[name]), flush=True)
        ordered = [rows[each] for each in GALLERY if each in rows]
        about = {"command": "python benchmarks/pde_gallery.py", "machine": machine()}
        results.write_text(json.dumps(about | {"versions": versions(), "rows": ordered}, indent=1))
        (ROOT / "docs/gallery.md").write_text(page(ordered))


if __name__ == "__main__":
    main()
