"""What a check says: findings with bounds, figures and tables, gathered in sections.

A finding is a number with its unit, the bound it is held to and where both come from. A check
turns cases (request, answer, truth) into one section of a report; `ansatz.report` renders
sections as a page, as JSON and as CSV, and knows nothing else about them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One question with its answer, and the truth where there is one.

    Attributes:
        name: Of the case, as a row label.
        request: What was asked.
        answer: What the predictor said.
        truth: What a solver, a measurement or an exact solution says; None if nobody knows.
        others: Answers of the baselines, by their names, to put beside the model's.
    """

    name: str
    request: Any
    answer: Any
    truth: Any = None
    others: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """A number that was checked.

    Attributes:
        name: What it is, as `rel_l2_cp`.
        value: The number.
        unit: Its unit; empty for pure numbers.
        bound: What the value is held to; None only reports it.
        source: Where truth and bound come from.
        at_least: The bound is a lower one (a correlation) and not an upper one (an error).
        interval: Lower and upper end of a 95 % interval of the value, if known.
    """

    name: str
    value: float
    unit: str = ""
    bound: float | None = None
    source: str = ""
    at_least: bool = False
    interval: tuple[float, float] | None = None

    @property
    def passed(self) -> bool:
        """Whether the value is finite and on the right side of its bound."""
        if not math.isfinite(self.value):
            return False
        if self.bound is None:
            return True
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass(frozen=True)
class Figure:
    """A picture: SVG text or PNG bytes, with the sentence that says what to see."""

    data: str | bytes
    caption: str


@dataclass(frozen=True)
class Table:
    """Rows under a header; numbers are formatted by the renderer."""

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """One part of a report."""

    title: str
    findings: tuple[Finding, ...] = ()
    text: str = ""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
