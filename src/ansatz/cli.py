"""The command line: `ansatz VERB RECIPE [INPUT ...] [key=value ...]`.

From words to one call. Nothing heavy is imported before a verb is known to be wanted, so that
`ansatz --help` answers at once. Data goes to stdout, everything else to stderr. Exit codes: 0; 1, a
check failed or a file is missing; 2, the user must change something, and a line says what; 85, a
signal stopped the training, and the same command goes on; 130, interrupted.
"""

import argparse
import json
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ansatz.core.findings import Section

EPILOG = """\
examples:
  ansatz predict aero/cars car.stl speed=38.89 reference_area=2.17
  ansatz check aero/cars
  ansatz train aero/cars train.steps=2000 precision=bf16
  ansatz fetch aero/drivaerml runs=1-100,205 kinds=stl,forces --dry-run

`ansatz list` shows the recipes, `ansatz VERB RECIPE --help` the options of one.
"""
VERBS = {
    "fetch": "bring the raw files of a recipe",
    "prepare": "make a store of them, or make your own files fit",
    "train": "train the model; goes on where it was stopped",
    "predict": "answer for files or folders",
    "check": "check the answers against the truth, with a report",
    "serve": "serve the model over HTTP",
    "bench": "time predictions, with their error beside",
    "list": "show the recipes",
    "doctor": "show what this machine can do",
}
WITHOUT_RECIPE = ("list", "doctor")
WITH_INPUTS = ("prepare", "predict", "check", "bench")
OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=")
QUEUE_AGAIN = 85
INTERRUPTED = 130

Chosen = dict[str, object]


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    words = list(sys.argv[1:] if words is None else words)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        return run(parse(words))
    except (ValueError, LookupError, OSError, argparse.ArgumentError) as error:
        if "--debug" in words:
            raise
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        for line in str(message).splitlines():
            print(f"ansatz: {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ansatz: interrupted; run the same command again to go on", file=sys.stderr)
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    verbs = "\n".join(f"  {verb:<9}{about}" for verb, about in VERBS.items())
    found = argparse.ArgumentParser(
        prog="ansatz",
        usage="ansatz VERB [RECIPE] [INPUT ...] [key=value ...] [options]",
        description=f"Scientific AI you can check.\n\nverbs:\n{verbs}",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
        exit_on_error=False,
    )
    found.add_argument("verb", nargs="?", help=argparse.SUPPRESS)
    found.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    found.add_argument("-h", "--help", action="store_true", help="this page, or that of a recipe")
    found.add_argument("--version", action="store_true", help="the version")
    found.add_argument("--out", type=Path, metavar="DIR", help="where the results go")
    found.add_argument("--json", action="store_true", help="print the result as JSON")
    found.add_argument("--dry-run", action="store_true", help="say what would be done")
    found.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return found


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read a command line.

    Raises:
        LookupError: If an option does not exist; the message offers the nearest one.
        argparse.ArgumentError: If an option lacks its value.
    """
    reader = parser()
    options, strange = reader.parse_known_intermixed_args(words)
    if strange:
        from ansatz.core.errors import unknown

        known = [name for action in reader._actions for name in action.option_strings]
        raise LookupError(unknown("option", strange[0], known))
    return options


def run(options: argparse.Namespace) -> int:
    """Carry out a parsed command."""
    if options.version:
        from importlib.metadata import version

        print(version("ansatz-ai"))
        return 0
    if options.verb is None:
        parser().print_help()
        return 0 if options.help else 2
    if options.verb not in VERBS:
        from ansatz.core.errors import unknown

        raise LookupError(unknown("verb", options.verb, VERBS))
    if options.help and (options.verb in WITHOUT_RECIPE or not options.words):
        parser().print_help()
        return 0
    if options.verb in WITHOUT_RECIPE:
        return {"list": list_recipes, "doctor": doctor}[options.verb](options)
    if not options.words:
        raise ValueError(f"ansatz {options.verb} needs the name of a recipe. See: ansatz list")
    return carry_out(options)


def list_recipes(options: argparse.Namespace) -> int:
    """Print the recipes with their titles; one that cannot be loaded does not hide the others."""
    from ansatz.core import catalog

    titles = {}
    for name in catalog.names():
        try:
            titles[name] = catalog.find(name).title
        except (ImportError, AttributeError, TypeError) as error:
            titles[name] = f"cannot be loaded: {error}"
    show(titles, as_json=options.json)
    return 0


def doctor(options: argparse.Namespace) -> int:
    """Print what this machine can do."""
    from ansatz.doctor import examine

    show(dict(examine()), as_json=options.json)
    return 0


def show(lines: Mapping[str, object], *, as_json: bool) -> None:
    """Print names and what belongs to them."""
    if as_json:
        print(json.dumps(lines, indent=1))
        return
    for name, text in lines.items():
        print(f"{name:<20} {text}")


def carry_out(options: argparse.Namespace) -> int:
    """Call the function of a verb, and print what it returns."""
    name, inputs, chosen = split_words(options.words)
    if options.help:
        from ansatz.helptext import describe

        print(describe(options.verb, name))
        return 0
    if inputs and options.verb not in WITH_INPUTS:
        raise ValueError(
            f"ansatz {options.verb} takes no inputs, and {inputs[0]!r} is one: options are "
            "written key=value"
        )
    if options.dry_run and options.verb != "fetch":
        from ansatz.helptext import plan, shown

        content = plan(options.verb, name, chosen, inputs, options.out)
        lines = content if options.json else {key: shown(value) for key, value in content.items()}
        show(lines, as_json=options.json)
        return 0
    return {
        "fetch": fetch,
        "prepare": prepare,
        "train": train,
        "predict": predict,
        "check": check,
        "serve": serve,
        "bench": bench,
    }[options.verb](name, inputs, chosen, options)


def split_words(words: Sequence[str]) -> tuple[str, list[str], Chosen]:
    """The recipe, the inputs and the overrides among the words after a verb.

    What looks like an override and is a file is an input.
    """
    from ansatz.core.overrides import parse as parse_overrides

    name, *rest = words
    values = [word for word in rest if OVERRIDE.match(word) and not Path(word).exists()]
    return name, [word for word in rest if word not in values], dict(parse_overrides(values))


# ---------------------------------------------------------------------- a verb and its printing
def fetch(name: str, inputs: list[str], chosen: Chosen, options: argparse.Namespace) -> int:
    """Fetch, and say what is there and what is missing."""
    from ansatz import verbs

    report = verbs.fetch(name, chosen, out=options.out, dry_run=options.dry_run)
    if options.json:
        from ansatz.core.artifacts import plain

        print(json.dumps(report, default=plain, indent=1))
    else:
        print("\n".join(report.lines()))
    return 0 if report.ok else 1


def prepare(name: str, inputs: list[str], chosen: Chosen, options: argparse.Namespace) -> int:
    """Prepare, and print where the result is."""
    from ansatz import verbs

    folder = verbs.prepare(name, [Path(word) for word in inputs], chosen, out=options.out)
    print(json.dumps({"folder": str(folder)}) if options.json else folder)
    return 0


def train(name: str, inputs: list[str], chosen: Chosen, options: argparse.Namespace) -> int:
    """Train; 85 asks a batch system to queue the job again."""
    from ansatz import verbs

    outcome = verbs.train(name, chosen, out=options.out)
    if outcome.stopped_by:
        return QUEUE_AGAIN
    if os.environ.get("RANK", "0") == "0":
        result = {"weights": str(outcome.weights), "steps": outcome.number}
        print(json.dumps(result) if options.json else outcome.weights)
    return 0


def predict(name: str, inputs: list[str], chosen: Chosen, options: argparse.Namespace) -> int:
    """Predict, with a progress bar on a terminal, and write one CSV."""
    from ansatz.answers import predict_files

    return predict_files(name, inputs, chosen, options.out, as_json=options.json)


def check(name: str, inputs: list[str], chosen: Chosen, options: argparse.Namespace) -> int:
    """Check, print the findings, and say where the report is."""
    from ansatz import verbs
    from ansatz.report.records import as_json

    sections, path = verbs.check(name, inputs, chosen, out=options.out)
    if options.json:
        print(json.dumps(as_json(sections, recipe=name, report=path), indent=1))
    else:
        print_findings(sections)
        print(f"report: {path}")
    return int(any(not finding.passed for part in sections for finding in part.findings))


def print_findings(sections: "Sequence[Section]") -> None:
    """One line per finding."""
    for section in sections:
        for finding in section.findings:
            mark = "ok  " if finding.passed else "FAIL"
            bound = ""
            if finding.bound is not None:
                bound = f"  ({'>=' if finding.at_least else '<='} {finding.bound:.4g})"
            print(f"{mark} {finding.name:<36} {finding.value:10.4g} {finding.unit}{bound}")


def serve(name: str, inputs: list[str], chosen: Chosen, options: argparse.Namespace) -> int:
    """Serve until a signal says stop."""
    from ansatz import verbs

    verbs.serve(name, chosen)
    return 0


def bench(name: str, inputs: list[str], chosen: Chosen, options: argparse.Namespace) -> int:
    """Time, and print a table."""
    from ansatz import verbs
    from ansatz.core.artifacts import machine, versions

    rows = verbs.bench(name, inputs, chosen)
    if options.json:
        print(json.dumps({"rows": rows, "versions": versions(), "machine": machine()}, indent=1))
        return 0
    for row in rows:
        print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{v}" for k, v in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
