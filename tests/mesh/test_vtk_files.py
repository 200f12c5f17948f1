"""Points and grids with fields are read by VTK as they were meant; meshes keep what they hold."""

import base64

import numpy as np
import pytest

from ansatz.mesh.vtkpoints import add_point_data, read_points
from ansatz.mesh.vtkwrite import write_grid, write_points, write_series
from ansatz.mesh.vtkxml import tags

RNG = np.random.default_rng(0)


@pytest.fixture
def vtk():
    return pytest.importorskip("vtk")


def read(vtk, reader, path):
    reader = getattr(vtk, reader)()
    reader.SetFileName(str(path))
    reader.Update()
    assert reader.GetErrorCode() == 0
    return reader.GetOutput()


def array(data, name):
    from vtk.util.numpy_support import vtk_to_numpy

    return vtk_to_numpy(data.GetPointData().GetArray(name))


def places(data):
    from vtk.util.numpy_support import vtk_to_numpy

    return vtk_to_numpy(data.GetPoints().GetData())


def test_loose_points_are_vertices(tmp_path, vtk):
    points, p = RNG.normal(size=(7, 3)), RNG.normal(size=7)
    write_points(tmp_path / "a.vtp", points, {"p": p, "velocity": points * 2})
    data = read(vtk, "vtkXMLPolyDataReader", tmp_path / "a.vtp")
    assert data.GetNumberOfVerts() == 7
    np.testing.assert_array_equal(places(data), points)
    np.testing.assert_array_equal(array(data, "p"), p)
    np.testing.assert_array_equal(array(data, "velocity"), points * 2)


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4)])
def test_a_grid_has_its_points_where_they_belong(tmp_path, vtk, shape):
    axes = np.meshgrid(*(np.linspace(0, n, n) for n in shape), indexing="ij")
    columns = [a.ravel() for a in axes] + [np.zeros(np.prod(shape))] * (3 - len(shape))
    points = np.stack(columns, 1)
    field = points @ [1, 10, 100]
    hidden = np.arange(len(points)) == 1
    write_grid(tmp_path / "a.vts", points, shape, {"f": field}, hidden)
    data = read(vtk, "vtkXMLStructuredGridReader", tmp_path / "a.vts")
    dimensions = [0, 0, 0]
    data.GetDimensions(dimensions)
    assert dimensions == [*shape, 1, 1][:3]
    np.testing.assert_array_equal(array(data, "f"), places(data) @ [1, 10, 100])
    shown = [data.IsPointVisible(i) for i in range(len(points))]
    assert (np.array(shown) == 0).tolist() == (places(data) == points[1]).all(1).tolist()
    if len(shape) == 3:
        # The volume of the cells is that of the box, and positive: the axes are right-handed.
        sizes = vtk.vtkCellSizeFilter()
        data.GetPointData().RemoveArray("vtkGhostType")
        sizes.SetInputData(data)
        sizes.Update()
        volumes = sizes.GetOutput().GetCellData().GetArray("Volume")
        total = sum(volumes.GetValue(i) for i in range(volumes.GetNumberOfTuples()))
        assert total == pytest.approx(np.prod(shape))


def test_a_series_names_its_files_by_time(tmp_path):
    from xml.etree import ElementTree

    write_series(tmp_path / "a.pvd", {0.0: "a-0.vts", 0.1: "a&b.vts"})
    sets = ElementTree.parse(tmp_path / "a.pvd").getroot().findall("Collection/DataSet")
    assert [(float(s.get("timestep")), s.get("file")) for s in sets] == [
        (0.0, "a-0.vts"),
        (0.1, "a&b.vts"),
    ]


def tetrahedra(vtk):
    """An unstructured grid of two tetrahedra with a field at points and one in cells."""
    from vtk.util.numpy_support import numpy_to_vtk

    grid, points = vtk.vtkUnstructuredGrid(), vtk.vtkPoints()
    for place in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)):
        points.InsertNextPoint(*place)
    grid.SetPoints(points)
    for corners in ((0, 1, 2, 3), (1, 2, 3, 4)):
        ids = vtk.vtkIdList()
        for corner in corners:
            ids.InsertNextId(corner)
        grid.InsertNextCell(vtk.VTK_TETRA, ids)
    for target, name, values in (
        (grid.GetPointData(), "p", np.arange(5.0)),
        (grid.GetCellData(), "U", np.arange(6.0).reshape(2, 3)),
    ):
        field = numpy_to_vtk(values, deep=True)
        field.SetName(name)
        target.AddArray(field)
    return grid


@pytest.mark.parametrize("mode", ["Ascii", "Binary", "Appended"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("order", ["Little", "Big"])
@pytest.mark.parametrize("bare", [False, True])
def test_fields_are_added_to_a_mesh_and_the_rest_stays(
    tmp_path, vtk, mode, compressed, order, bare
):
    grid = tetrahedra(vtk)
    if bare:
        grid.GetPointData().RemoveArray("p")
    writer = vtk.vtkXMLUnstructuredGridWriter()
    writer.SetInputData(grid)
    writer.SetFileName(str(tmp_path / "a.vtu"))
    getattr(writer, f"SetDataModeTo{mode}")()
    writer.SetEncodeAppendedData(False)
    writer.SetCompressorTypeToZLib() if compressed else writer.SetCompressorTypeToNone()
    getattr(writer, f"SetByteOrderTo{order}Endian")()
    assert writer.Write()

    points, data = read_points(tmp_path / "a.vtu", ("p", "t"))
    np.testing.assert_array_equal(points, places(grid))
    assert set(data) == (set() if bare else {"p"})
    velocity = RNG.normal(size=(5, 3))
    new = {"p": points @ [1.0, 2.0, 3.0], "velocity": velocity}
    add_point_data(tmp_path / "a.vtu", tmp_path / "b.vtu", new)

    found = read(vtk, "vtkXMLUnstructuredGridReader", tmp_path / "b.vtu")
    np.testing.assert_array_equal(array(found, "velocity"), velocity)
    np.testing.assert_array_equal(array(found, "p" if bare else "p_predicted"), new["p"])
    if not bare:
        np.testing.assert_array_equal(array(found, "p"), np.arange(5.0))
    assert found.GetNumberOfCells() == 2
    assert found.GetCellType(1) == vtk.VTK_TETRA
    assert found.GetCellData().GetArray("U").GetTuple(1) == (3.0, 4.0, 5.0)
    # This package reads what it has added, and adds to it without giving a name twice.
    _, again = read_points(tmp_path / "b.vtu", ("velocity",))
    np.testing.assert_array_equal(again["velocity"], velocity)
    add_point_data(tmp_path / "b.vtu", tmp_path / "c.vtu", {"p": 2 * new["p"]})
    last = "p_predicted" if bare else "p_predicted_predicted"
    _, thrice = read_points(tmp_path / "c.vtu", ("p", last))
    np.testing.assert_array_equal(thrice[last], 2 * new["p"])
    np.testing.assert_array_equal(thrice["p"], new["p"] if bare else np.arange(5.0))


def test_fields_are_shared_among_the_pieces_of_a_mesh(tmp_path, vtk):
    piece = (
        '<Piece NumberOfPoints="{n}" NumberOfCells="0">{data}<Points><DataArray type="Float64" '
        'NumberOfComponents="3">{places}</DataArray></Points><Cells>'
        '<DataArray type="Int64" Name="connectivity"/><DataArray type="Int64" Name="offsets"/>'
        '<DataArray type="UInt8" Name="types"/></Cells></Piece>'
    )
    pieces = piece.format(n=1, data="<PointData/>", places="0 0 1")
    pieces += piece.format(n=2, data="", places="0 0 2 0 0 3")
    (tmp_path / "a.vtu").write_text(
        f'<VTKFile type="UnstructuredGrid"><!-- <Piece> --><UnstructuredGrid>{pieces}'
        "</UnstructuredGrid></VTKFile>"
    )
    points, _ = read_points(tmp_path / "a.vtu")
    assert points[:, 2].tolist() == [1, 2, 3]
    add_point_data(tmp_path / "a.vtu", tmp_path / "b.vtu", {"f": 10 * points[:, 2]})
    _, data = read_points(tmp_path / "b.vtu", ("f",))
    assert data["f"].tolist() == [10, 20, 30]
    assert read(vtk, "vtkXMLUnstructuredGridReader", tmp_path / "b.vtu").GetNumberOfPoints() == 3


@pytest.mark.parametrize("text", ["<!--", "<a ", "<a'\"", "<a '\"<a '\""])
def test_no_file_takes_longer_to_scan_than_its_length(text):
    # Tags and comments that never end: each was searched up to the end of the file, for minutes.
    content = text.encode() * 30_000
    assert not list(tags(content, len(content)))


def test_meshes_that_cannot_be_read_are_refused(tmp_path):
    def piece(count, body):
        (tmp_path / "a.vtp").write_text(
            f'<VTKFile type="PolyData"><PolyData><Piece NumberOfPoints="{count}">{body}'
            "</Piece></PolyData></VTKFile>"
        )
        return tmp_path / "a.vtp"

    with pytest.raises(ValueError, match="a piece without points"):
        read_points(piece(1, ""))
    nan = base64.b64encode((24).to_bytes(4, "little") + np.full(3, np.nan).tobytes()).decode()
    body = (
        '<Points><DataArray type="Float64" NumberOfComponents="3" format="binary">'
        f"{nan}</DataArray></Points>"
    )
    with pytest.raises(ValueError, match="points that are not finite"):
        read_points(piece(1, body))
    with pytest.raises(ValueError, match="has no points"):
        read_points(piece(0, body))
    (tmp_path / "a.vtp").write_text((tmp_path / "a.vtp").read_text().replace("NumberOfPoints", "N"))
    with pytest.raises(ValueError, match="has no points"):
        read_points(tmp_path / "a.vtp")
    plane = '<Points><DataArray type="Float64" NumberOfComponents="2">0 1</DataArray></Points>'
    with pytest.raises(ValueError, match=r"points of shape \(1, 2\), expected \(1, 3\)"):
        read_points(piece(1, plane))
    (tmp_path / "a.vtu").write_text('<VTKFile type="PolyData"></VTKFile>')
    with pytest.raises(ValueError, match="expected type UnstructuredGrid"):
        read_points(tmp_path / "a.vtu")
