import math

import pytest
import torch

from ansatz.aero.drivaerml import STREAM
from ansatz.aero.drivaerml_tables import (
    CONSTANT_REFERENCE,
    PARAMETERS,
    CarReference,
    Coefficients,
    Reference,
    change_reference,
    read_all_forces,
    read_forces,
    read_parameters,
    read_reference,
    read_run_forces,
)
from ansatz.aero.forces import Loads

CAR = Reference(area=2.31, length=2.9, center=(1.5, 0.02, -0.29))


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
    assert changed.forces(CONSTANT_REFERENCE.area) == pytest.approx(force, rel=1e-12)
    assert of_car.forces(CAR.area) == pytest.approx(force, rel=1e-12)


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


def test_the_mean_drag_of_the_data_set_is_a_plausible_force():
    drag, _, _ = Coefficients(0.2874, 0.0519, -0.06915, 0.12105, 0.0).forces(2.17)

    assert drag == pytest.approx(0.5 * 38.89**2 * 2.17 * 0.2874, rel=1e-12)
    assert 400 < drag < 550


def test_references_must_be_positive():
    with pytest.raises(ValueError, match="must be positive"):
        Reference(0.0, 2.8, (0.0, 0.0, 0.0))


def test_the_name_without_suffix_is_the_reference_of_the_car(tmp_path):
    run = tmp_path / "run_3"
    run.mkdir()
    (run / "force_mom_3.csv").write_text("Cd, Cl, Clf, Clr, Cs\n0.31, 0.1, 0.04, 0.06, 0\n")
    (run / "force_mom_constref_3.csv").write_text(
        "Cd, Cl, Clf, Clr, Cs\n0.33, 0.1, 0.04, 0.06, 0\n"
    )

    assert read_run_forces(tmp_path, 3, "car").cd == 0.31
    assert read_run_forces(tmp_path, 3).cd == 0.33


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


def test_the_table_of_all_runs_is_read_by_run(tmp_path):
    path = tmp_path / "force_mom_all.csv"
    path.write_text("run, cd, cl, clf, clr, cs\n2,0.3,0.1,0.1,0,0\n10,0.4,0,0,0,0\n")

    assert {run: c.cd for run, c in read_all_forces(path).items()} == {2: 0.3, 10: 0.4}
    path.write_text("run, cd, cl, clf, clr, cs\n2,0.3,0.1,0.1,0,0\n2,0.4,0,0,0,0\n")
    with pytest.raises(ValueError, match=r"each run once.*got 2"):
        read_all_forces(path)


def test_the_reference_of_a_car_is_told_from_the_constant_one(tmp_path):
    path = tmp_path / "geo_ref_1.csv"
    path.write_text("aRef, lRef, aRefRef\n2.31, 2.9, 2.17\n")

    assert read_reference(path) == CarReference(area=2.31, length=2.9, constant_area=2.17)


def test_the_parameters_of_a_morph_keep_their_names(tmp_path):
    path = tmp_path / "geo_parameters_2.csv"
    values = [-13.9249, 78.8766, -43.3802, *range(13)]
    path.write_text(", ".join(PARAMETERS) + "\n" + ", ".join(map(str, values)) + "\n")

    parameters = read_parameters(path)

    assert list(parameters) == list(PARAMETERS)
    assert parameters["Vehicle_Width"] == 78.8766
    assert math.isclose(sum(parameters.values()), sum(values))


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
