"""The tables of DrivAerML: force coefficients and reference values.

Coefficients refer to an area A and, for the axles, to a length L (the wheelbase) and the point C
in the middle of the wheelbase. With q = ρU²/2 and the moment M about C,

    Cd, Cs, Cl = F / (q A)      Cm = M_y / (q A L)      Clf = Cl/2 + Cm      Clr = Cl/2 - Cm

(OpenFOAM v2212, forceCoeffs): Clf and Clr are the loads on the axles, not on halves of the body.
Each run has two files. `force_mom_constref` uses the same A, L and C for all cars, so that
coefficients compare as forces do; `force_mom` uses those of the car, which `geo_ref` states. This
is a trap: in AhmedML and WindsorML the name without suffix means the constant ones, and mixing them
up costs up to 47 drag counts. So the two are compared where both are there. Headers have blanks
after the commas, and their case differs between the files.
"""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# The published tables have 7 digits, and Cl = Clf + Clr to 1e-7 in all 484 runs.
_CLOSURE_TOLERANCE = 1e-5

# In run 466 the two tables agree to 2e-7; mixed up, they are off by 0.02.
_SAME_FORCE = 1e-3


@dataclass(frozen=True)
class Reference:
    """What coefficients refer to.

    Attributes:
        area: m².
        length: m.
        center: The point that moments are taken about, m; x downstream, z up.
    """

    area: float
    length: float
    center: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not (self.area > 0 and self.length > 0):
            raise ValueError(
                f"reference area and length must be positive, got {self.area} m², {self.length} m"
            )


CONSTANT_REFERENCE: Final = Reference(2.17, 2.78618, (1.40009, 0.0, -0.3176))
"""Of every `force_mom_constref`: FluidsBench, force-definition-audit-all484.json."""


@dataclass(frozen=True)
class Coefficients:
    """Time-averaged coefficients: drag, lift, lift of front and rear axle, side force."""

    cd: float
    cl: float
    clf: float
    clr: float
    cs: float


def change_reference(coefficients: Coefficients, old: Reference, new: Reference) -> Coefficients:
    """Express coefficients with other reference values; the force and the moment stay the same.

    The moment about the new center is M + (C_old - C_new) × F.

    Args:
        coefficients: With the reference `old`.
        old: For `force_mom`, that of the car, which `geo_ref` states.
        new: For comparisons between cars, `CONSTANT_REFERENCE`.
    """
    scale = old.area / new.area
    arm_x = old.center[0] - new.center[0]
    arm_z = old.center[2] - new.center[2]
    pitch = (coefficients.clf - coefficients.clr) / 2 * old.length
    pitch += arm_z * coefficients.cd - arm_x * coefficients.cl
    cl, cm = coefficients.cl * scale, pitch * scale / new.length
    return Coefficients(
        cd=coefficients.cd * scale,
        cl=cl,
        clf=cl / 2 + cm,
        clr=cl / 2 - cm,
        cs=coefficients.cs * scale,
    )


def read_run_forces(raw: Path, run: int) -> Coefficients:
    """Read the coefficients of a run, with `CONSTANT_REFERENCE`.

    The coefficients that refer to the car, if they were fetched with their reference values, are
    about the same force and moment, and have to say so.

    Args:
        raw: Where `fetch` put the data set.
        run: Its number.

    Raises:
        ValueError: As `read_forces`, and if the two tables differ.
    """
    folder = raw / f"run_{run}"
    path, of_car = folder / f"force_mom_constref_{run}.csv", folder / f"force_mom_{run}.csv"
    stated, reference = read_forces(path), folder / f"geo_ref_{run}.csv"
    if not (of_car.exists() and reference.exists()):
        return stated
    expected = change_reference(read_forces(of_car), read_reference(reference), CONSTANT_REFERENCE)
    for name, value in vars(expected).items():
        if abs(vars(stated)[name] - value) > _SAME_FORCE:
            raise ValueError(
                f"{path} states {name} = {vars(stated)[name]:.5f}, and {of_car.name} with the "
                f"reference values of {reference.name} {value:.5f}: they are not about the same "
                "force. Their names are mixed up, or files of another run or data set are among "
                "them. Fetch them again with verify=True"
            )
    return stated


def read_forces(path: Path) -> Coefficients:
    """Read `force_mom_i.csv` or `force_mom_constref_i.csv`.

    Raises:
        ValueError: If the file is empty, lacks a column, holds something else than finite
            numbers, or if the loads of the axles do not add up to the lift.
    """
    cd, cl, clf, clr, cs = _numbers(path, _row(path), ("Cd", "Cl", "Clf", "Clr", "Cs"))
    if abs(cl - clf - clr) > _CLOSURE_TOLERANCE:
        raise ValueError(
            f"{path}: Clf + Clr = {clf + clr:.6g} and Cl = {cl:.6g} should be equal: the columns "
            "are mixed up or the file is damaged. Fetch it again with verify=True"
        )
    return Coefficients(cd, cl, clf, clr, cs)


def read_reference(path: Path) -> Reference:
    """Read `geo_ref_i.csv`: what the coefficients of `force_mom_i` refer to.

    Raises:
        ValueError: If the file is empty, lacks a column, or holds something else than numbers and
            a point, which OpenFOAM writes as (x y z).
    """
    row = _row(path)
    area, length = _numbers(path, row, ("aRef", "lRef"))
    (text,) = _texts(path, row, ("forcesCoR",))
    point = [_number(path, "forcesCoR", part) for part in text.strip("()").split()]
    if len(point) != 3:
        raise ValueError(f"{path}: forcesCoR should be a point (x y z), got {text!r}")
    return Reference(area, length, (point[0], point[1], point[2]))


def _row(path: Path) -> dict[str, str]:
    """The only row of a table, by column name in lower case; without blanks."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = [[cell.strip() for cell in line] for line in csv.reader(file)]
    header, *rows = [line for line in lines if any(line)] or [[]]
    if not rows:
        raise ValueError(f"{path} is empty: expected a header and a row. Fetch it again")
    if len(rows) > 1:
        raise ValueError(f"{path}: expected one row, got {len(rows)}: is it a table of all runs?")
    if len(rows[0]) != len(header):
        raise ValueError(f"{path}: a row has {len(rows[0])} values for {len(header)} columns")
    return {name.lower(): value for name, value in zip(header, rows[0], strict=True)}


def _numbers(path: Path, row: Mapping[str, str], columns: tuple[str, ...]) -> list[float]:
    texts = _texts(path, row, columns)
    return [_number(path, name, text) for name, text in zip(columns, texts, strict=True)]


def _texts(path: Path, row: Mapping[str, str], columns: tuple[str, ...]) -> list[str]:
    missing = [name for name in columns if name.lower() not in row]
    if missing:
        raise ValueError(f"{path}: no column {', '.join(missing)}; it has {', '.join(row)}")
    return [row[name.lower()] for name in columns]


def _number(path: Path, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError(f"{path}: {name} should be a number, got {text!r}") from error
    if not math.isfinite(value):
        raise ValueError(f"{path}: {name} is {text}: this run has no usable value")
    return value
