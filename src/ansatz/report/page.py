"""The page that shows what a check found, in one file that needs nothing else.

The page renders sections and knows nothing else about them. Every text is escaped; pictures are
cleaned (`ansatz.report.svg`) or embedded as bytes, so a report can be mailed, archived and opened
from disk. Beside it lie the same findings for programs (`report.json`) and for spreadsheets
(`findings.csv`).
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ansatz.core.artifacts import atomic, write_json
from ansatz.core.findings import Section
from ansatz.report import records
from ansatz.report.chapters import cards, chapter


def write(
    sections: Sequence[Section],
    folder: Path,
    *,
    recipe: str,
    title: str = "",
    subtitle: str = "",
    provenance: Mapping[str, object] | None = None,
) -> Path:
    """Write `report.html`, `report.json` and `findings.csv`, each whole or not at all.

    Args:
        sections: What was found, in the order of reading.
        folder: Where to write; made if missing.
        recipe: Name of the recipe that was checked.
        title: Heading of the page; the recipe's name if empty.
        subtitle: What was checked against what, in a line.
        provenance: Where the numbers come from: command, versions, seed, machine, hashes.

    Returns:
        The path of the page.

    Raises:
        ValueError: If a figure is neither SVG nor PNG, or a table is ragged.
        OSError: If the folder cannot be written.
    """
    page = folder / "report.html"
    html = render(sections, title=title or recipe, subtitle=subtitle, provenance=provenance or {})
    with atomic(folder / "findings.csv") as part:
        part.write_text(records.as_csv(sections), encoding="utf-8", newline="")
    with atomic(page) as part:
        part.write_text(html, encoding="utf-8")
    write_json(folder / "report.json", records.as_json(sections, recipe=recipe, report=page))
    return page


def render(
    sections: Sequence[Section], *, title: str, subtitle: str, provenance: Mapping[str, object]
) -> str:
    """The page as text; see `write`."""
    environment = Environment(
        loader=PackageLoader("ansatz.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"breakable": breakable, "paragraphs": paragraphs}
    chapters = [chapter(index, section) for index, section in enumerate(sections, start=1)]
    lines = [line for each in chapters for line in each.lines]
    return environment.get_template("page.html").render(
        title=title,
        subtitle=subtitle,
        chapters=chapters,
        cards=cards(lines),
        checked=[line for line in lines if line.mark != "reported"],
        failed=[line for line in lines if line.mark == "failed"],
        provenance=list(_flat(provenance)),
    )


def _flat(tree: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as rows: {"versions": {"torch": "2.13"}} is ("versions.torch", "2.13")."""
    rows: list[tuple[str, str]] = []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            rows.append((f"{prefix}{key}", text))
    return rows


# ---------------------------------------------------------------------------------- filters
def breakable(text: str) -> Markup:
    """Escape a name, and let it break after its underscores, slashes and dots."""
    return Markup(re.sub(r"([_/.])", r"\1<wbr>", str(Markup.escape(text))))


def paragraphs(text: str) -> Markup:
    """Escape a text, with a paragraph wherever it has an empty line."""
    parts = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    return Markup("\n").join(Markup("<p>{}</p>").format(part) for part in parts)
