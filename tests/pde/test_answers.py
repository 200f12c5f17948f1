"""Answers of exact solutions: files for ParaView, meshes, slices, residuals."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import sympy

from ansatz import pde
from ansatz.core.findings import Case
from ansatz.mesh.vtkpoints import read_points
from ansatz.mesh.vtkwrite import write_points
from ansatz.pde.checks import check_quantities, check_residuals
from ansatz.pde.painting import field_maps, planes
from ansatz.pde.predictor import SolutionPredictor
from ansatz.pde.quantities import integral
from ansatz.pde.request import request_type
from ansatz.pde.truth import Truth, grid

x, y, z, t = pde.coordinates("x y z t")


@pytest.fixture
def ask(exact_solution):
    """From values and conditions to a function of questions."""

    def make(values, conditions, quantities=None, **options):
        solution = exact_solution(values, conditions, **options)
        predictor = SolutionPredictor(solution.trial, solution.problem, quantities or {})
        question = request_type(solution.problem)

        def asked(points, **fields):
            encoded = predictor.encode(question(points, **fields))
            return predictor.decode(predictor.forward(encoded.tensors), encoded)

        return asked

    return make


@pytest.fixture
def flow(ask):
    """A turning flow in a box, which slows down in time."""
    u, v, w, p = pde.fields("u v w p", x, y, z, t)
    values = {u: -y / (1 + t), v: x / (1 + t), w: 0.5 + 0 * x, p: z}
    body = pde.Inside(pde.box((-1, -1, -1), (1, 1, 1)), {"mass": pde.divergence((u, v, w))})
    return ask(values, {"flow": body}, ranges={t: (0, 1)})


def vtk_grid(path):
    vtk = pytest.importorskip("vtk")
    from vtk.util.numpy_support import vtk_to_numpy

    reader = vtk.vtkXMLStructuredGridReader()
    reader.SetFileName(str(path))
    reader.Update()
    data = reader.GetOutput()
    names = [
        data.GetPointData().GetArrayName(i) for i in range(data.GetPointData().GetNumberOfArrays())
    ]
    return vtk_to_numpy(data.GetPoints().GetData()), {
        name: vtk_to_numpy(data.GetPointData().GetArray(name)) for name in names
    }


def test_a_grid_at_one_time_is_one_file_with_a_vector(flow, tmp_path):
    written = flow("3x4x5", t=1.0, vtk=True, picture=False).save(tmp_path, "a")
    assert [path.name for path in written] == ["a.npz", "a.csv", "a.vts"]
    points, data = vtk_grid(tmp_path / "a.vts")
    assert len(points) == 60
    expected = np.stack([-points[:, 1] / 2, points[:, 0] / 2, 0.5 + 0 * points[:, 0]], 1)
    np.testing.assert_allclose(data["velocity"], expected, atol=1e-12)
    np.testing.assert_allclose(data["p"], points[:, 2], atol=1e-12)
    np.testing.assert_allclose(data["residual_mass"], 0, atol=1e-12)
    assert set(data["t"]) == {1.0}
    assert "u" not in data


def test_times_are_files_of_a_series(flow, tmp_path):
    flow("3x4x3", z=0.5, vtk=True, picture=False).save(tmp_path, "a")
    sets = ElementTree.parse(tmp_path / "a.pvd").getroot().findall("Collection/DataSet")
    assert [float(s.get("timestep")) for s in sets] == [0.0, 0.5, 1.0]
    for s in sets:
        points, data = vtk_grid(tmp_path / s.get("file"))
        assert set(points[:, 2]) == {0.5}
        slower = 1 + float(s.get("timestep"))
        np.testing.assert_allclose(data["velocity"][:, 0], -points[:, 1] / slower, atol=1e-12)


def test_points_of_a_mesh_come_back_with_fields(flow, tmp_path):
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (9, 3)).astype(np.float32)
    points[0, 0] = 1.0000001  # on the wall, in the digits of float32
    write_points(tmp_path / "probes.vtp", points, {"t": np.linspace(0, 1, 9)})
    answer = flow(tmp_path / "probes.vtp")
    (written,) = [p for p in answer.save(tmp_path / "out", "probes") if p.suffix == ".vtp"]
    found, data = read_points(written, ("velocity", "residual_mass", "t"))
    np.testing.assert_array_equal(found, points)
    np.testing.assert_allclose(data["velocity"][:, 0], -found[:, 1] / (1 + data["t"]), atol=1e-7)
    np.testing.assert_allclose(data["residual_mass"], 0, atol=1e-12)


def test_points_that_have_no_time_or_miss_the_body_are_refused(flow, tmp_path):
    write_points(tmp_path / "a.vtp", np.zeros((2, 3)), {})
    with pytest.raises(ValueError, match=r"lack t: add columns, or give one value for all"):
        flow(tmp_path / "a.vtp")
    write_points(tmp_path / "a.vtp", np.full((2, 3), 100.0), {})
    with pytest.raises(ValueError, match=r"none of the 2 points is inside .* Mind the unit"):
        flow(tmp_path / "a.vtp", t=0.5)
    (tmp_path / "a.vtk").write_text("")
    with pytest.raises(ValueError, match=r"write it as \.vtu or \.vtp"):
        flow(tmp_path / "a.vtk", t=0.5)


def test_a_mesh_in_space_is_read_by_a_problem_in_the_plane(ask, tmp_path):
    (T,) = pde.fields("T", x, y)
    asked = ask({T: x + 2 * y}, {"r": pde.Inside(pde.rectangle((0, 0), (1, 1)), pde.heat(T, 1))})
    points = np.random.default_rng(0).uniform(0, 1, (6, 3))
    write_points(tmp_path / "a.vtp", points, {})
    np.testing.assert_allclose(asked(tmp_path / "a.vtp").fields["T"], points[:, :2] @ [1, 2])


def test_equations_hold_only_where_they_are_meant_to(ask):
    (T,) = pde.fields("T", x, y)
    left, right = pde.rectangle((0, 0), (1, 1)), pde.rectangle((1, 0), (2, 1))
    asked = ask(
        {T: x**2},
        {
            "metal": pde.Inside(left, {"heat": T.diff(x, 2) - 2}),
            "air": pde.Inside(right, {"heat": T.diff(x, 2) - 2 - y}, where=y > 0.5),
        },
    )
    answer = asked(np.array([[0.5, 0.25], [1.5, 0.25], [1.5, 0.75], [3.0, 0.5]]))
    nan = np.nan
    np.testing.assert_allclose(answer.residuals["metal heat"], [0, nan, nan, nan], atol=1e-12)
    np.testing.assert_allclose(answer.residuals["air heat"], [nan, nan, -0.75, nan])
    np.testing.assert_allclose(answer.fields["T"], [0.25, 2.25, 2.25, nan])


def test_numbers_follow_the_parameter_of_the_question(ask):
    h = sympy.Symbol("h")
    (T,) = pde.fields("T", x, y)
    fin = pde.rectangle((0, 0), (1, h))
    body = {"r": pde.Inside(fin, {"r": T - 2})}
    asked = ask({T: 2 + 0 * x}, body, {"heat": integral(T, inside=fin)}, ranges={h: (1, 3)})
    answer = asked("5", h=2.0)
    assert answer.quantities["heat"].value == pytest.approx(4)
    assert {"heat", "heat_error"} <= set(answer.summary())
    assert not asked(np.array([[0.5, 0.5, 1.0], [0.5, 0.5, 2.0]])).quantities
    truth = Truth("fin", answer.place, {}, "by hand", {"heat": 0.2}, numbers={"heat": 5.0})
    section = check_quantities([Case("fin", None, answer, truth)])
    (finding,) = section.findings
    assert finding.value == pytest.approx(0.2)
    assert section.tables[0].rows[0][3] == answer.quantities["heat"].error


def test_slices_show_the_middle_of_space_and_the_ends_of_time(flow):
    answer = flow("5x6x7", t=0.0)
    shown = planes(answer.place, answer.grid, answer.space)
    assert [plane.names for plane in shown] == [("x", "y"), ("x", "z"), ("y", "z")]
    assert shown[0].title == "z = 0"
    for plane in shown:
        # Where two coordinates span a plane, its streamlines are the velocities along them.
        speed = field_maps(answer.fields, plane)[0]
        along = [{"x": "u", "y": "v", "z": "w"}[name] for name in plane.names]
        for part, name in zip(speed.flow, along, strict=True):
            np.testing.assert_array_equal(part, plane.cut(answer.fields[name]))
        np.testing.assert_array_equal(plane.cut(answer.place[plane.names[0]])[:, 0], plane.x)
        np.testing.assert_array_equal(plane.cut(answer.place[plane.names[1]])[0], plane.y)
    timed = flow("5x6x7", z=0.0)
    shown = planes(timed.place, timed.grid, timed.space)
    assert [plane.title for plane in shown] == ["t = 0", "t = 0.5", "t = 1"]
    assert {plane.names for plane in shown} == {("x", "y")}


def test_every_kind_of_grid_is_drawn(flow, tmp_path):
    lines, square = {"y": 0.1, "z": 0.1, "t": 0.5}, {"z": 0.1, "t": 0.5}
    for name, answer in {
        "line": flow("9", **lines),
        "plane": flow("9x8", **square, contours=5),
        "solid": flow("6x5x5", t=0.5),
        "times": flow("6x5x3", z=0.0),
        "all": flow("5x4x4x3"),
    }.items():
        written = answer.save(tmp_path, name)
        assert written[-1].read_bytes().startswith(b"\x89PNG")
        section = check_residuals([Case(name, None, answer)])
        assert len(section.figures) == 1
        assert section.tables[0].rows[0][:2] == [name, "mass"]


def test_a_file_of_points_brings_residuals(flow, tmp_path: Path):
    (tmp_path / "a.csv").write_text("x,y,z\n0,0,0\n0.5,0,0\n")
    answer = flow(tmp_path / "a.csv", t=0.5)
    assert answer.residuals["mass"].tolist() == [0, 0]


@pytest.mark.parametrize("name", ["points.csv", "points.vtp", "points.npz"])
def test_an_answer_never_takes_the_place_of_its_points(flow, tmp_path, name):
    file = tmp_path / name
    if name.endswith("csv"):
        file.write_text("x,y,z\n0.123456789012,0,0\n")
    elif name.endswith("npz"):
        np.savez(file, x=[0.1], y=[0.0], z=[0.0])
    else:
        write_points(file, np.zeros((2, 3)), {})
    before = file.read_bytes()
    with pytest.raises(ValueError, match="would take the place of"):
        flow(file, t=0.5).save(tmp_path, "points")
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
    assert flow(file, t=0.5).save(tmp_path / "out", "points")


def test_a_time_is_not_given_twice(flow, tmp_path):
    (tmp_path / "a.csv").write_text("x,y,z,t\n0,0,0,0.5\n")
    with pytest.raises(ValueError, match=r"a\.csv has values of t, and t=0\.9 is another one"):
        flow(tmp_path / "a.csv", t=0.9)
    with pytest.raises(ValueError, match=r"points has values of t, and t=0\.9"):
        flow(np.zeros((2, 4)), t=0.9)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros(3), "y": np.zeros(2)}, r"columns of one length, got shapes x \(3,\), y"),
        ({"x": np.zeros((2, 2)), "y": np.zeros((2, 2))}, "columns of one length"),
        ({"x": 0.0, "y": 0.0}, "columns of one length"),
        ({"x": np.zeros(0), "y": np.zeros(0)}, "columns of one length"),
        ({"x": [0.0, np.nan], "y": np.zeros(2)}, "column x that are no finite numbers"),
        ({"x": ["a", "b"], "y": np.zeros(2)}, "column x that are no finite numbers"),
        ({"x": np.array([None]), "y": np.zeros(1)}, "is no .npz archive of numbers: Object arrays"),
    ],
)
def test_archives_that_are_no_table_are_refused(flow, tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        flow(tmp_path / "a.npz", z=0.0, t=0.5)


def test_an_archive_may_hold_one_time_for_all_points(flow, tmp_path):
    np.savez(tmp_path / "a.NPZ.npz", t=1.0, x=[0.0, 0.5], y=[1.0, 0.0], z=0.0, note="by hand")
    (tmp_path / "a.NPZ.npz").rename(tmp_path / "a.NPZ")
    np.testing.assert_allclose(flow(tmp_path / "a.NPZ").fields["u"], [-0.5, 0], atol=1e-12)


@pytest.mark.parametrize("content", [b"PK\x03\x04 torn", b"x,y\n", b"\x93NUMPY"])
def test_what_is_no_archive_is_refused(flow, tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npz is no \.npz archive of numbers"):
        flow(tmp_path / "a.npz", t=0.5)


def test_tables_are_read_as_spreadsheets_write_them(flow, tmp_path):
    (tmp_path / "a.csv").write_text("\ufeffx,y,z\n0,1,0\n", "utf-8")
    assert flow(tmp_path / "a.csv", t=0.0).fields["u"].tolist() == [-1]
    (tmp_path / "a.csv").write_text("x,y,z,x\n0,1,0,3\n")
    with pytest.raises(ValueError, match="names a column twice: x, y, z, x"):
        flow(tmp_path / "a.csv", t=0.0)


@pytest.mark.parametrize("dtype", [complex, "U3", [("x", "f8")]])
def test_points_are_real_numbers(flow, dtype):
    with pytest.raises(
        ValueError, match=r"finite numbers of shape \(n, 4\), columns x, y, z, t; got"
    ):
        flow(np.zeros((2, 4), dtype))


def test_points_that_are_no_such_grid_are_refused(flow):
    points = np.stack(np.meshgrid([0.0, 0.5], [0.0], [0.1, 0.2, 0.3], [0.5]), -1).reshape(-1, 4)
    with pytest.raises(
        ValueError, match=r"6 points are no grid of shape \(2, 2\): x, y, z, t have"
    ):
        flow(points, grid=(2, 2))


def test_a_coordinate_that_is_left_out_is_named(ask, tmp_path, caplog):
    (T,) = pde.fields("T", x, y)
    asked = ask({T: x}, {"r": pde.Inside(pde.rectangle((0, 0), (1, 1)), pde.heat(T, 1))})
    write_points(tmp_path / "a.vtp", np.array([[0.1, 0, 0.25], [0.2, 0, 0.5]]), {})
    asked(tmp_path / "a.vtp")
    assert "a.vtp: z reaches from 0.25 to 0.5 and is no coordinate" in caplog.text


def test_points_outside_are_counted_and_what_is_no_number_inside_is_told(ask, caplog):
    (T,) = pde.fields("T", x, y)
    square = {"r": pde.Inside(pde.rectangle((0, 0), (1, 1)), {"is": T - x})}
    points = np.array([[0.25, 0.5], [1.0, 0.5], [7.0, 0.5]])
    row = ask({T: x + y}, square)(points).summary()
    assert (row["points"], row["outside"], row["T_max"]) == (3, 1, 1.5)
    assert not caplog.text
    row = ask({T: sympy.sqrt(x - sympy.Rational(1, 2))}, square)(points).summary()
    assert np.isnan(row["T_max"])
    assert "not finite at 1 of 3 points: T" in caplog.text


@pytest.mark.parametrize("name", ["points", "grid", "vtk", "lambda", "heat flux"])
def test_inputs_that_commands_cannot_name_are_refused(name):
    (T,) = pde.fields("T", x, y)
    symbol = sympy.Symbol(name)
    body = {"r": pde.Inside(pde.rectangle((0, 0), (1, 1)), {"r": T - symbol})}
    problem = pde.Problem((T,), body, ranges={symbol: (0, 1)})
    with pytest.raises(ValueError, match=f"an input of the problem is called '{name}'"):
        request_type(problem)


def test_a_parameter_called_velocity_is_no_vector(ask, tmp_path):
    u, v = pde.fields("u v", x, y)
    speed = sympy.Symbol("velocity")
    body = {"r": pde.Inside(pde.rectangle((0, 0), (1, 1)), {"r": u - 1})}
    answer = ask({u: speed * x, v: speed * y}, body, ranges={speed: (1, 3)})("3", vtk=True)
    answer.save(tmp_path, "a")
    points, data = vtk_grid(tmp_path / "a.vts")
    assert set(data["velocity"]) == {2.0}
    np.testing.assert_allclose(data["u"], 2 * points[:, 0], atol=1e-12)


def test_names_of_residuals_do_not_break_the_table(ask, tmp_path):
    (T,) = pde.fields("T", x, y)
    body = {"r": pde.Inside(pde.rectangle((0, 0), (1, 1)), {sympy.Max(T, y): 1})}
    asked = ask({T: x}, body)
    asked("3", picture=False).save(tmp_path, "a")
    again = asked(tmp_path / "a.csv")
    np.testing.assert_allclose(again.fields["T"], again.place["x"])


def test_two_times_are_two_pictures(flow):
    answer = flow("4x4x2", z=0.0)
    assert [p.title for p in planes(answer.place, answer.grid, answer.space)] == ["t = 0", "t = 1"]


def test_of_many_inputs_the_first_varies_and_the_rest_have_their_middle():
    place = grid({sympy.Symbol(name): (0.0, 2.0, 3) for name in "xytab"})
    titles = [plane.title for plane in planes(place, (3,) * 5, ("x", "y"))]
    assert titles == [f"t = {time}, a = 1, b = 1" for time in (0, 1, 2)]


def test_a_plane_that_misses_the_body_is_drawn(ask, tmp_path):
    T, p = pde.fields("T p", x, y, z)
    halves = pde.box((0, 0, 0), (1, 1, 0.2)) + pde.box((0, 0, 0.8), (1, 1, 1))
    asked = ask({T: x, p: 0 * x}, {"r": pde.Inside(halves, {"r": T.diff(x) - 1})})
    answer = asked("5", contours=4)
    answer.save(tmp_path, "a")
    assert check_residuals([Case("a", None, answer)]).figures


def test_a_known_number_that_nobody_derives_is_no_silence(ask):
    (T,) = pde.fields("T", x, y)
    body = {"r": pde.Inside(pde.rectangle((0, 0), (1, 1)), {"r": T})}
    answer = ask({T: x}, body)("3")
    truth = Truth("fin", answer.place, {}, "by hand", numbers={"heta": 5.0})
    with pytest.raises(LookupError, match="heta of fin is known, and no derived quantity"):
        check_quantities([Case("fin", None, answer, truth)])
