"""The tables of DrivAerML: force coefficients, reference values, morph parameters.

Coefficients refer to an area A and, for the axles, to a length L (the wheelbase) and the point C
in the middle of the wheelbase. With q = ρU²/2 and the moment M about C,

    Cd, Cs, Cl = F / (q A)      Cm = M_y / (q A L)      Clf = Cl/2 + Cm      Clr = Cl/2 - Cm

(OpenFOAM v2212, forceCoeffs): Clf and Clr are the loads on the axles, not on halves of the body.
Each run has two files. `force_mom_constref` uses the same A, L and C for all cars, so that
coefficients compare as forces do; `force_mom` uses those of the car. This is a trap: in AhmedML and
WindsorML the name without suffix means the constant ones, and mixing them up costs up to 47 drag
counts. Headers have blanks after the commas, and their case differs between the files.
"""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ansatz.aero.drivaerml import STREAM
from ansatz.aero.stream import FreeStream

PARAMETERS: Final = (
    "Vehicle_Length",
    "Vehicle_Width",
    "Vehicle_Height",
    "Front_Overhang",
    "Front_Planview",
    "Hood_Angle",
    "Approach_Angle",
    "Windscreen_Angle",
    "Greenhouse_Tapering",
    "Backlight_Angle",
    "Decklid_Height",
    "Rearend_tapering",
    "Rear_Overhang",
    "Rear_Diffusor_Angle",
    "Vehicle_Ride_Height",
    "Vehicle_Pitch",
)
"""Changes against the original car, mm, and degrees for the pitch."""

# The published tables have 7 digits, and Cl = Clf + Clr to 1e-7 in all 484 runs.
_CLOSURE_TOLERANCE = 1e-5


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
class CarReference:
    """The reference values that `geo_ref` states.

    Attributes:
        area: Of this car, m².
        length: Of this car, m.
        constant_area: Of `force_mom_constref`, m².
    """

    area: float
    length: float
    constant_area: float


@dataclass(frozen=True)
class Coefficients:
    """Time-averaged coefficients: drag, lift, lift of front and rear axle, side force."""

    cd: float
    cl: float
    clf: float
    clr: float
    cs: float

    def forces(self, area: float, stream: FreeStream = STREAM) -> tuple[float, float, float]:
        """Drag, side force and lift, N. They depend on no reference, if `area` is the right one."""
        scale = stream.dynamic_pressure * area
        return self.cd * scale, self.cs * scale, self.cl * scale


def change_reference(coefficients: Coefficients, old: Reference, new: Reference) -> Coefficients:
    """Express coefficients with other reference values; the force and the moment stay the same.

    The moment about the new center is M + (C_old - C_new) × F.

    Args:
        coefficients: With the reference `old`.
        old: For `force_mom`, that of the car; `geo_ref` states area and length of it.
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


def read_run_forces(
    raw: Path, run: int, reference: Literal["constant", "car"] = "constant"
) -> Coefficients:
    """Read the coefficients of a run from a raw directory.

    Args:
        raw: Where `fetch` put the data set.
        run: Its number.
        reference: Which reference values the coefficients are to have.
    """
    name = {"constant": f"force_mom_constref_{run}.csv", "car": f"force_mom_{run}.csv"}[reference]
    return read_forces(raw / f"run_{run}" / name)


def read_forces(path: Path) -> Coefficients:
    """Read `force_mom_i.csv` or `force_mom_constref_i.csv`.

    Raises:
        ValueError: If the file is empty, lacks a column, holds something else than finite
            numbers, or if the loads of the axles do not add up to the lift.
    """
    return _coefficients(path, _only_row(path))


def read_all_forces(path: Path) -> dict[int, Coefficients]:
    """Read `force_mom_all.csv` or `force_mom_constref_all.csv`: coefficients by run.

    Raises:
        ValueError: As `read_forces`, and if a run appears twice.
    """
    runs: dict[int, Coefficients] = {}
    for row in _rows(path):
        (number,) = _numbers(path, row, ("run",))
        if number in runs or not number.is_integer():
            raise ValueError(f"{path}: expected each run once, as a whole number; got {number:g}")
        runs[int(number)] = _coefficients(path, row)
    return runs


def read_reference(path: Path) -> CarReference:
    """Read `geo_ref_i.csv`.

    Raises:
        ValueError: If the file is empty, lacks a column or holds something else than numbers.
    """
    area, length, constant = _numbers(path, _only_row(path), ("aRef", "lRef", "aRefRef"))
    return CarReference(area, length, constant)


def read_parameters(path: Path) -> dict[str, float]:
    """Read `geo_parameters_i.csv`: the 16 `PARAMETERS` by name.

    Raises:
        ValueError: If the file is empty, lacks a column or holds something else than numbers.
    """
    return dict(zip(PARAMETERS, _numbers(path, _only_row(path), PARAMETERS), strict=True))


def _coefficients(path: Path, row: Mapping[str, str]) -> Coefficients:
    cd, cl, clf, clr, cs = _numbers(path, row, ("Cd", "Cl", "Clf", "Clr", "Cs"))
    if abs(cl - clf - clr) > _CLOSURE_TOLERANCE:
        raise ValueError(
            f"{path}: Clf + Clr = {clf + clr:.6g} and Cl = {cl:.6g} should be equal: the columns "
            "are mixed up or the file is damaged. Fetch it again with verify=True"
        )
    return Coefficients(cd, cl, clf, clr, cs)


def _rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table, by column name in lower case and without blanks."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = [line for line in csv.reader(file) if any(cell.strip() for cell in line)]
    if len(lines) < 2:
        raise ValueError(f"{path} is empty: expected a header and a row. Fetch it again")
    header = [name.strip().lower() for name in lines[0]]
    for line in lines[1:]:
        if len(line) != len(header):
            raise ValueError(f"{path}: a row has {len(line)} values for {len(header)} columns")
    return [dict(zip(header, line, strict=True)) for line in lines[1:]]


def _only_row(path: Path) -> dict[str, str]:
    rows = _rows(path)
    if len(rows) != 1:
        raise ValueError(f"{path}: expected one row, got {len(rows)}: is it a table of all runs?")
    return rows[0]


def _numbers(path: Path, row: Mapping[str, str], columns: tuple[str, ...]) -> list[float]:
    missing = [name for name in columns if name.lower() not in row]
    if missing:
        raise ValueError(f"{path}: no column {', '.join(missing)}; it has {', '.join(row)}")
    values = []
    for name in columns:
        text = row[name.lower()].strip()
        try:
            value = float(text)
        except ValueError as error:
            raise ValueError(f"{path}: {name} should be a number, got {text!r}") from error
        if not math.isfinite(value):
            raise ValueError(f"{path}: {name} is {text}: this run has no usable value")
        values.append(value)
    return values
