"""Writing VTK XML files: arrays appended raw, points and structured grids with fields, series.

x.vtp   polygons (`ansatz.mesh.vtp`), or loose points, each a vertex that ParaView draws
x.vts   a grid of points in one to three dimensions
x.pvd   files of a series, as of times, by the values that tell them apart
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from ansatz.core.artifacts import atomic
from ansatz.mesh.vtkxml import TYPES, Array

Sections = Mapping[str, Mapping[str, Array]]
Attributes = Mapping[str, str | int]
HIDDEN = 2  # vtkDataSetAttributes::HIDDENPOINT


def write_points(path: Path, points: Array, point_data: Mapping[str, Array]) -> None:
    """Write loose points and their fields as PolyData of vertices.

    Args:
        path: A `.vtp` file to write or replace.
        points: Shape (n, 3).
        point_data: Fields, shape (n,) or (n, components).

    Raises:
        ValueError: If VTK has no type for a field.
    """
    count = len(points)
    sections = {
        "Points": {"Points": points},
        "Verts": {"connectivity": np.arange(count), "offsets": np.arange(1, count + 1)},
        "PointData": point_data,
    }
    counts = polydata_counts(points=count, verts=count)
    with atomic(path) as part, part.open("wb") as out:
        write_xml(out, "PolyData", counts, sections)


def write_grid(
    path: Path,
    points: Array,
    shape: Sequence[int],
    point_data: Mapping[str, Array],
    hidden: NDArray[np.bool_],
) -> None:
    """Write a grid of points and its fields as a StructuredGrid.

    Args:
        path: A `.vts` file to write or replace.
        points: Shape (n, 3), the last coordinate of the grid varying fastest.
        shape: Points along one to three coordinates; their product is n.
        point_data: Fields in the same order, shape (n,) or (n, components).
        hidden: Points that are no part of the body, shape (n,); programs do not draw them.

    Raises:
        ValueError: If VTK has no type for a field.
    """
    # VTK's grids have their first coordinate fastest.
    order = np.arange(len(points)).reshape(shape).T.ravel()
    fields = {name: values[order] for name, values in point_data.items()}
    if hidden.any():
        fields["vtkGhostType"] = (HIDDEN * hidden[order]).astype(np.uint8)
    counts = [*shape, 1, 1][:3]
    extent = " ".join(f"0 {count - 1}" for count in counts)
    sections = {"PointData": fields, "Points": {"Points": points[order]}}
    with atomic(path) as part, part.open("wb") as out:
        write_xml(out, "StructuredGrid", {"Extent": extent}, sections, {"WholeExtent": extent})


def write_series(path: Path, files: Mapping[float, str]) -> None:
    """Write a `.pvd` file, which shows files one after the other.

    Args:
        path: To write or replace.
        files: By time, or another value; relative to the folder of `path`.
    """
    sets = "\n".join(
        f'<DataSet timestep="{value:.17g}" part="0" file={quoteattr(file)}/>'
        for value, file in files.items()
    )
    with atomic(path) as part:
        part.write_text(
            '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n<Collection>\n'
            f"{sets}\n</Collection>\n</VTKFile>\n"
        )


def polydata_counts(points: int, verts: int = 0, polys: int = 0) -> dict[str, int]:
    """The attributes of a piece of PolyData; VTK's own reader asks for all of them."""
    return {
        "NumberOfPoints": points,
        "NumberOfVerts": verts,
        "NumberOfLines": 0,
        "NumberOfStrips": 0,
        "NumberOfPolys": polys,
    }


def write_xml(
    out: BinaryIO, kind: str, piece: Attributes, sections: Sections, whole: Attributes | None = None
) -> None:
    """Write a data set of one piece.

    Args:
        out: The file.
        kind: As `PolyData`.
        piece: Attributes of the piece, as `NumberOfPoints`.
        sections: Arrays by name, by section: `Points`, `PointData`, `Polys`, ...
        whole: Attributes of the data set.

    Raises:
        ValueError: If VTK has no type for an array.
    """
    arrays = [values for section in sections.values() for values in section.values()]
    out.write(_head(kind, piece, sections, whole or {}))
    for values in arrays:
        block = _little(values)
        out.write(block.nbytes.to_bytes(8, "little"))
        out.write(block.tobytes().ljust(_padded(block), b"\0"))
    out.write(b"\n</AppendedData></VTKFile>\n")


def _head(kind: str, piece: Attributes, sections: Sections, whole: Attributes) -> bytes:
    """The XML up to the first appended byte."""
    lines = [
        '<?xml version="1.0"?>',
        f'<VTKFile type="{kind}" version="1.0" byte_order="LittleEndian" header_type="UInt64">',
        f"<{kind}{_written(whole)}><Piece{_written(piece)}>",
    ]
    offset = 0
    for section, arrays in sections.items():
        lines.append(f"<{section}>")
        for name, values in arrays.items():
            lines.append(f'{element(name, values)} format="appended" offset="{offset}"/>')
            offset += 8 + _padded(values)
        lines.append(f"</{section}>")
    lines.append(f'</Piece></{kind}><AppendedData encoding="raw">\n')
    text = "\n".join(lines).encode()
    # Every block begins at a multiple of eight bytes, so that it can be used where it lies.
    return text + b" " * (-(len(text) + 1) % 8) + b"_"


def element(name: str, values: Array) -> str:
    """The opening tag of an array without its format and its end.

    Raises:
        ValueError: If VTK has no type for it.
    """
    names = {np.dtype(code): name for name, code in TYPES.items()}
    native = values.dtype.newbyteorder("=")
    if native not in names:
        raise ValueError(f"VTK has no type for array {name!r} of {values.dtype}")
    components = values.shape[1] if values.ndim == 2 else 1
    return (
        f'<DataArray type="{names[native]}" Name={quoteattr(name)} '
        f'NumberOfComponents="{components}"'
    )


def _written(attributes: Attributes) -> str:
    return "".join(f' {name}="{value}"' for name, value in attributes.items())


def _little(values: Array) -> Array:
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<"))


def _padded(values: Array) -> int:
    return values.nbytes + -values.nbytes % 8
