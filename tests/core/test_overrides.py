import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Gt, Lt, MinLen
from hypothesis import given
from hypothesis import strategies as st

from ansatz.core.overrides import leaves, override, parse


@dataclass(frozen=True)
class Grid:
    cells: Annotated[int, Ge(1)] = 8
    box: tuple[float, float] = (0.0, 1.0)
    names: Annotated[tuple[str, ...], MinLen(1)] = ("u", "v")
    corners: tuple[tuple[int, int], ...] = ((0, 0), (1, 1))


@dataclass(frozen=True)
class Solver:
    rate: Annotated[float, Gt(0), Lt(10)] = 0.1
    steps: Annotated[int, Ge(1)] = 100
    scheme: Literal["euler", "heun"] = "euler"
    cuda_graphs: bool = False
    folder: Path | None = None
    area: Annotated[float, Gt(0)] | None = None
    largest: float = math.inf
    title: str = ""


@dataclass(frozen=True)
class Warmup:
    steps: int = 10


@dataclass(frozen=True)
class Study:
    grid: Grid = field(default_factory=Grid)
    solver: Solver = field(default_factory=Solver)
    warmup: Warmup = field(default_factory=Warmup)
    with_: str | None = None
    callback: object = None


@dataclass(frozen=True)
class Address:
    host: str = "127.0.0.1"
    key: str | None = None

    def __post_init__(self):
        if self.host != "127.0.0.1" and self.key is None:
            raise ValueError(f"{self.host} needs a key")


@pytest.mark.parametrize(
    ("word", "where", "value"),
    [
        ("solver.rate=0.5", "rate", 0.5),
        ("rate=3e-4", "rate", 3e-4),
        ("solver.steps=7", "steps", 7),
        ("scheme=heun", "scheme", "heun"),
        ("cuda_graphs=True", "cuda_graphs", True),
        ("cuda_graphs=false", "cuda_graphs", False),
        ("cuda_graphs=1", "cuda_graphs", True),
        ("folder=runs/a", "folder", Path("runs/a")),
        ("area=2.17", "area", 2.17),
        ("largest=5", "largest", 5.0),
        ("largest=inf", "largest", math.inf),
        ("title=[draft] {x}", "title", "[draft] {x}"),
        ("title=none", "title", "none"),
        ("title=", "title", ""),
        ("title=a=b", "title", "a=b"),
    ],
)
def test_values_are_read_by_the_type_of_their_field(word, where, value):
    assert getattr(override(Study(), parse([word])).solver, where) == value


@pytest.mark.parametrize(
    ("text", "where", "value"),
    [
        ("1,2", "box", (1.0, 2.0)),
        ("[1, 2]", "box", (1.0, 2.0)),
        ("(1.0, 2.0)", "box", (1.0, 2.0)),
        ("u", "names", ("u",)),
        ("u,w", "names", ("u", "w")),
        ("[u,w]", "names", ("u", "w")),
        ('["u", "w"]', "names", ("u", "w")),
        ("('u',)", "names", ("u",)),
        ("[[0, 2], [3, 4]]", "corners", ((0, 2), (3, 4))),
    ],
)
def test_lists_are_read_as_python_json_and_hydra_write_them(text, where, value):
    assert getattr(override(Study(), {where: text}).grid, where) == value


def test_none_is_a_value_only_where_the_type_has_it():
    assert override(Study(solver=Solver(area=2.0)), {"area": "none"}).solver.area is None
    with pytest.raises(ValueError, match="steps=none"):
        override(Study(), {"solver.steps": "none"})


def test_a_name_that_would_be_a_keyword_loses_its_underscore():
    assert override(Study(), {"with": "openfoam"}).with_ == "openfoam"


def test_all_mistakes_are_reported_at_once():
    words = ["solver.rate=-1", "grid.cells=0", "schema=heun", "steps=3", "box=[1,2", "scheme=rk9"]
    with pytest.raises(ValueError) as error:
        override(Study(), parse(words))
    assert str(error.value).splitlines() == [
        "solver.rate=-1: must be greater than 0",
        "grid.cells=0: must be greater than or equal to 1",
        "unknown option 'schema'; did you mean 'scheme'?",
        "steps is ambiguous: write one of solver.steps, warmup.steps",
        "box=[1,2: the list begins with [ and does not end so",
        "scheme=rk9: must be 'euler' or 'heun'",
    ]


def test_python_values_are_held_to_the_same_ranges():
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        override(Study(), {"solver.steps": -1})
    with pytest.raises(ValueError, match="valid integer"):
        override(Study(), {"solver.steps": 2.5})


@pytest.mark.parametrize("value", ["nan", "inf", math.nan])
def test_numbers_are_finite_where_the_field_does_not_begin_at_infinity(value):
    with pytest.raises(ValueError, match="finite"):
        override(Study(), {"area": value})


def test_a_fault_inside_a_list_names_its_element():
    with pytest.raises(ValueError, match=r"element 1 must be a valid number"):
        override(Study(), {"box": "1,x"})


def test_an_option_is_set_once_however_it_is_spelled():
    with pytest.raises(ValueError, match=r"solver\.rate is set twice"):
        override(Study(), {"rate": "1", "solver.rate": "2"})
    with pytest.raises(ValueError, match="rate is set twice: to '1' and to '2'"):
        parse(["rate=1", "rate=2"])


@pytest.mark.parametrize("word", ["rate", "=3"])
def test_a_word_that_is_no_override_is_refused(word):
    with pytest.raises(ValueError, match="write key=value"):
        parse([word])


def test_parts_that_nobody_touched_stay_the_same_objects():
    study = Study()
    changed = override(study, {"rate": 1.0})
    assert changed.grid is study.grid
    assert changed.warmup is study.warmup
    assert study.solver.rate == 0.1
    assert override(study, {}) is study


def test_fields_that_depend_on_one_another_are_replaced_together():
    changed = override(Address(), {"host": "0.0.0.0", "key": "secret"})
    assert changed == Address("0.0.0.0", "secret")
    with pytest.raises(ValueError, match=r"0\.0\.0\.0 needs a key"):
        override(Address(), {"host": "0.0.0.0"})


def test_what_nobody_can_type_is_no_option():
    assert "callback" not in leaves(Study())


studies = st.builds(
    Study,
    grid=st.builds(
        Grid,
        cells=st.integers(1, 10**9),
        box=st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)),
        names=st.lists(st.sampled_from(["u", "p_t", "T-1"]), min_size=1).map(tuple),
    ),
    solver=st.builds(
        Solver,
        rate=st.floats(1e-12, 9.9),
        steps=st.integers(1, 10**6),
        scheme=st.sampled_from(["euler", "heun"]),
        cuda_graphs=st.booleans(),
        folder=st.none() | st.just(Path("a/b c")),
        area=st.none() | st.floats(1e-9, 1e9),
        largest=st.just(math.inf) | st.floats(0, 10),
        title=st.text(st.characters(exclude_categories=["Cs"])),
    ),
)


@given(studies)
def test_a_configuration_overridden_by_its_own_values_is_itself(study):
    values = {path: leaf.value for path, leaf in leaves(study).items()}
    assert override(study, values) == study


@given(studies)
def test_its_own_values_may_be_typed_as_python_prints_them(study):
    plain = dataclasses.replace(study, solver=dataclasses.replace(study.solver, title="draft"))
    values = {path: str(leaf.value) for path, leaf in leaves(plain).items()}
    base = Study(solver=Solver(largest=plain.solver.largest))
    assert override(base, values) == plain


@dataclass(frozen=True)
class Trained:
    precision: Literal["fp32", "tf32", "fp64"] = "fp64"
    compile: bool = False


@dataclass(frozen=True)
class Run:
    train: Trained = field(default_factory=Trained)


@pytest.mark.parametrize("prefix", ["", "train."])
def test_switches_of_modulus_sym_are_understood(prefix):
    run = override(Run(), {f"{prefix}tf32": "True", f"{prefix}jit": True})
    assert run.train == Trained("tf32", compile=True)
    assert override(run, {f"{prefix}tf32": "false"}).train.precision == "fp32"


def test_a_switch_and_what_it_stands_for_are_one_option():
    with pytest.raises(ValueError, match=r"train\.precision is set twice"):
        override(Run(), {"precision": "fp64", "tf32": "true"})
