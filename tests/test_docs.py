"""Snippets in the documentation are code that parses and commands that exist."""

import ast
import re
import shlex
from pathlib import Path

import pytest

from ansatz import cli
from ansatz.core import catalog
from ansatz.core.options import choose
from ansatz.helptext import OWN

ROOT = Path(__file__).parent.parent
PAGES = [
    path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))) if path.exists()
]
BLOCK = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
PLACEHOLDER = re.compile(r"\b[A-Z]{4,}\b|\.\.\.|…")


def blocks(*languages):
    """(where, text) of the fenced blocks of some languages."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for block in BLOCK.finditer(text):
            line = text.count("\n", 0, block.start()) + 1
            if block[1] in languages:
                found.append(pytest.param(block[2], id=f"{page.name}:{line}"))
    return found


def commands():
    """(where, words) of all commands `ansatz ...` in blocks and in running text."""
    found = []
    for page in PAGES:
        text = page.read_text()
        inner = [(block.start(), block[2]) for block in BLOCK.finditer(text)]
        outside = BLOCK.sub(lambda block: "\n" * block[0].count("\n"), text)
        lines = [line for _, body in inner for line in body.replace("\\\n", " ").splitlines()]
        lines += re.findall(r"`(ansatz [^`]*)`", outside)
        for line in lines:
            line = line.strip().removeprefix("$ ")
            if re.match(r"ansatz [a-z-]", line) and not PLACEHOLDER.search(line):
                found.append(pytest.param(line, id=f"{page.name}: {line}"))
    return found


@pytest.mark.parametrize("text", blocks("python", "py"))
def test_python_snippets_parse(text):
    ast.parse(text)


@pytest.mark.parametrize("line", commands())
def test_commands_are_ones_that_the_program_takes(line):
    words = shlex.split(re.split(r"\s+[|;>&]|\s#", line)[0])[1:]
    options = cli.parse(words)
    assert options.verb is None or options.verb in cli.VERBS
    if options.verb in OWN and options.words:
        name, inputs, chosen = cli.split_words(options.words)
        choose(options.verb, catalog.find(name), OWN[options.verb], chosen)
        assert not inputs or options.verb in cli.WITH_INPUTS


def test_recipes_of_the_documentation_exist():
    subjects = "|".join({name.partition("/")[0] for name in catalog.names()})
    pattern = re.compile(rf"ansatz\.\w+\(\s*\"((?:{subjects})/[\w-]+)\"")
    named = {name for page in PAGES for name in pattern.findall(page.read_text())}
    assert named <= set(catalog.names())
