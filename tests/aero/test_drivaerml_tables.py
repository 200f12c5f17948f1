import pytest
import torch

from ansatz.aero.drivaerml import STREAM
from ansatz.aero.drivaerml_tables import (
    CONSTANT_REFERENCE,
    Coefficients,
    Reference,
    change_reference,
    read_forces,
    read_reference,
    read_run_forces,
)
from ansatz.aero.forces import Loads

CAR = Reference(area=2.31, length=2.9, center=(1.5, 0.02, -0.29))


NAMES = ("force_mom", "force_mom_constref")

# DrivAerML (CC-BY-SA-4.0), run_466, as published.
RUN_466 = {
    "force_mom_466.csv": (
        "Cd, Cl, Clf, Clr, Cs\n"
        "2.758368e-01, -5.357145e-02, -1.803103e-01, 1.267388e-01, 2.565178e-02\n"
    ),
    "force_mom_constref_466.csv": (
        "Cd, Cl, Clf, Clr, Cs\n"
        "2.921074e-01, -5.673143e-02, -1.911301e-01, 1.343987e-01, 2.716488e-02\n"
    ),
    "geo_ref_466.csv": (
        "lRef,aRef,forcesCoR,lRefRef,aRefRef,forcesCoRRef\n"
        "2.79,2.298,(1.402 0 -0.3176),2.78618,2.17,(1.40009 0 -0.3176)\n"
    ),
}


@pytest.fixture
def run_466(tmp_path):
    folder = tmp_path / "run_466"
    folder.mkdir()
    for name, text in RUN_466.items():
        (folder / name).write_text(text)
    return folder, tmp_path


def coefficients(force, moment_about_origin, reference):
    """What OpenFOAM writes for a force and a moment; by the code that integrates surfaces."""
    center = torch.tensor(reference.center, dtype=torch.float64)
    force = torch.tensor(force, dtype=torch.float64)
    moment = torch.tensor(moment_about_origin, dtype=torch.float64)
    moment = moment - torch.linalg.cross(center, force)
    loads = Loads(force, moment, STREAM, reference.area, reference.length, center)
    return Coefficients(**{k: loads.coefficients[k] for k in ("cd", "cl", "clf", "clr", "cs")})


def as_tuple(c):
    return (c.cd, c.cl, c.clf, c.clr, c.cs)


def test_a_reference_changes_coefficients_and_not_the_forces():
    force, moment = (480.0, -12.0, 95.0), (3.0, -410.0, 8.0)
    of_car = coefficients(force, moment, CAR)

    changed = change_reference(of_car, CAR, CONSTANT_REFERENCE)

    expected = coefficients(force, moment, CONSTANT_REFERENCE)
    assert as_tuple(changed) == pytest.approx(as_tuple(expected), rel=1e-12)
    q = 0.5 * 38.89**2
    assert changed.cd * q * CONSTANT_REFERENCE.area == pytest.approx(480.0, rel=1e-12)
    assert of_car.cd * q * CAR.area == pytest.approx(480.0, rel=1e-12)


def test_changing_a_reference_back_changes_nothing():
    start = Coefficients(cd=0.29, cl=0.05, clf=-0.07, clr=0.12, cs=0.01)

    there = change_reference(start, CAR, CONSTANT_REFERENCE)

    assert as_tuple(change_reference(there, CONSTANT_REFERENCE, CAR)) == pytest.approx(
        as_tuple(start), rel=1e-12
    )


def test_a_lift_above_the_front_axle_loads_that_axle_alone():
    x = CONSTANT_REFERENCE.center[0] - CONSTANT_REFERENCE.length / 2
    lift = 100.0

    loads = coefficients((0.0, 0.0, lift), (0.0, -x * lift, 0.0), CONSTANT_REFERENCE)

    assert loads.clf == pytest.approx(loads.cl, rel=1e-12)
    assert loads.clr == pytest.approx(0.0, abs=1e-12)


def test_references_must_be_positive():
    with pytest.raises(ValueError, match="must be positive"):
        Reference(0.0, 2.8, (0.0, 0.0, 0.0))


def test_the_two_tables_of_a_run_are_about_one_force(run_466):
    folder, raw = run_466
    of_car, constant = (read_forces(folder / f"{name}_466.csv") for name in NAMES)
    own = read_reference(folder / "geo_ref_466.csv")

    changed = change_reference(of_car, own, CONSTANT_REFERENCE)

    assert own == Reference(2.298, 2.79, (1.402, 0.0, -0.3176))
    # Published with seven digits.
    assert as_tuple(changed) == pytest.approx(as_tuple(constant), abs=3e-7)
    assert read_run_forces(raw, 466) == constant


def test_tables_whose_names_are_mixed_up_are_refused(run_466):
    folder, raw = run_466
    texts = [(folder / f"{name}_466.csv").read_text() for name in NAMES]
    for name, text in zip(NAMES, reversed(texts), strict=True):
        (folder / f"{name}_466.csv").write_text(text)

    with pytest.raises(ValueError, match=r"constref_466\.csv states cd = 0\.27584.*mixed up"):
        read_run_forces(raw, 466)


@pytest.mark.parametrize("missing", ["force_mom_466.csv", "geo_ref_466.csv"])
def test_one_table_is_enough(run_466, missing):
    folder, raw = run_466
    (folder / missing).unlink()
    assert read_run_forces(raw, 466).cd == 0.2921074


@pytest.mark.parametrize(
    "text",
    [
        "Cd, Cl, Clf, Clr, Cs\n0.3, 0.05, -0.07, 0.12, 0.01\n",
        "cd,cl,clf,clr,cs\n0.3,0.05,-0.07,0.12,0.01\n\n",
        "\ufeffCs ,Clr, Clf ,Cl,Cd,extra\r\n 0.01,0.12,-0.07,0.05,0.3,x\r\n",
    ],
    ids=["blanks after commas", "lower case", "other order, byte-order mark, DOS line ends"],
)
def test_forces_are_read_by_name_whatever_the_header_looks_like(tmp_path, text):
    path = tmp_path / "force_mom_1.csv"
    path.write_text(text, encoding="utf-8", newline="")

    assert read_forces(path) == Coefficients(cd=0.3, cl=0.05, clf=-0.07, clr=0.12, cs=0.01)


@pytest.mark.parametrize(
    ("point", "message"),
    [("1.402 0", "should be a point"), ("(x 0 0)", "should be a number, got 'x'")],
)
def test_a_reference_without_its_point_is_refused(tmp_path, point, message):
    path = tmp_path / "geo_ref_1.csv"
    path.write_text(f"lRef,aRef,forcesCoR\n2.79,2.298,{point}\n")

    with pytest.raises(ValueError, match=rf"geo_ref_1\.csv: forcesCoR {message}"):
        read_reference(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("Cd, Cl, Clf, Clr, Cs\n", "is empty"),
        ("Cd, Cl, Cs\n0.3, 0.1, 0\n", "no column Clf, Clr; it has cd, cl, cs"),
        ("Cd, Cl, Clf, Clr, Cs\nnan, 0.1, 0.1, 0, 0\n", "Cd is nan"),
        ("Cd, Cl, Clf, Clr, Cs\n0.3, 0.1, 0.1, 0,\n", "Cs should be a number, got ''"),
        ("Cd, Cl, Clf, Clr, Cs\n0.3, 0.1, 0.1, 0\n", "4 values for 5 columns"),
        ("Cd, Cl, Clf, Clr, Cs\n0.3, 0, 0, 0, 0\n0.3, 0, 0, 0, 0\n", "expected one row, got 2"),
        ("Cl, Cd, Clf, Clr, Cs\n0.3, 0.1, 0.06, 0.04, 0\n", "columns are mixed up"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_name(tmp_path, text, message):
    path = tmp_path / "force_mom_1.csv"
    path.write_text(text)

    with pytest.raises(ValueError, match=rf"force_mom_1\.csv.*{message}"):
        read_forces(path)
