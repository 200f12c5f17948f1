"""What emoji are called: a table of names and tags in four languages.

`names.tsv.gz` has a line for each emoji: code points, group, then label and tags of each language,
with `|` between tags. Line k after the header names picture k of every sheet.
"""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Language = Literal["en", "ko", "ja", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
HEADER = ["code", "group", *(word for one in LANGUAGES for word in (one, f"{one} tags"))]


@dataclass(frozen=True)
class Name:
    """What an emoji is called.

    Attributes:
        code: Its code points, hexadecimal, as `1F338` or `1F9D1-200D-1F680`.
        group: Of Unicode, as `animals-nature`.
        labels: By language, as `cherry blossom`.
        tags: By language, as `flower`, `spring`; may be empty.
    """

    code: str
    group: str
    labels: Mapping[Language, str]
    tags: Mapping[Language, tuple[str, ...]]

    def texts(self) -> list[str]:
        """Labels and tags of all languages."""
        return [text for one in LANGUAGES for text in (self.labels[one], *self.tags[one])]


def read_names(path: Path) -> list[Name]:
    """The names of a table.

    Raises:
        ValueError: If it is none.
    """
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    if lines[0].split("\t") != HEADER:
        raise ValueError(f"{path} begins with {lines[0]!r}, expected the columns {HEADER}")
    return [parsed(line) for line in lines[1:]]


def parsed(line: str) -> Name:
    """The name of a line."""
    code, group, *texts = line.split("\t")
    labels = dict(zip(LANGUAGES, texts[::2], strict=True))
    tags = {
        language: tuple(text.split("|")) if text else ()
        for language, text in zip(LANGUAGES, texts[1::2], strict=True)
    }
    return Name(code, group, labels, tags)


def table(names: Sequence[Name]) -> bytes:
    """The file of a table; the same names give the same bytes."""
    lines = ["\t".join(HEADER)]
    for name in names:
        texts = [text for one in LANGUAGES for text in (name.labels[one], "|".join(name.tags[one]))]
        lines.append("\t".join([name.code, name.group, *texts]))
    return gzip.compress(("\n".join(lines) + "\n").encode(), 9, mtime=0)
