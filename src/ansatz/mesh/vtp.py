"""Polygons with fields: VTK's serial XML PolyData, the `.vtp` files of ParaView and OpenFOAM.

Fields belong to polygons (cell data) or to their vertices (point data). A file of DrivAerML has
8.8 million polygons in 600 MB: arrays may be chosen by name, and what is not chosen is not read.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ansatz.core.artifacts import atomic
from ansatz.core.errors import unknown
from ansatz.mesh.polygons import Integers, Mesh, Points, joined
from ansatz.mesh.vtkwrite import polydata_counts, write_xml
from ansatz.mesh.vtkxml import Array, Piece, VtkXml, content_of, decode, scan

Polygons: TypeAlias = Integers | tuple[Integers, Integers]


def read_vtp(path: Path, arrays: Collection[str] | None = None) -> Mesh:
    """Read polygons and fields; several pieces are joined.

    Arrays that are appended raw are read-only views of the file if they lie at even places there.

    Args:
        path: A `.vtp` file, ascii, base64 or appended, compressed by zlib or not; may be gzipped.
        arrays: Names of the fields to read; all of them if not given.

    Returns:
        The mesh.

    Raises:
        ValueError: If the file is damaged, no PolyData, or holds lines or strips.
        LookupError: If it lacks one of the arrays.
        OSError: If the file cannot be read.
    """
    file = scan(content_of(path), "PolyData", path.name)
    if not file.pieces:
        raise ValueError(f"{path.name} holds no piece: it is truncated or empty")
    _demand(file, arrays)
    meshes = [_read_piece(file, piece, arrays) for piece in file.pieces]
    return meshes[0] if len(meshes) == 1 else joined(meshes)


def write_vtp(
    path: Path,
    points: Points,
    polygons: Polygons,
    cell_data: Mapping[str, Array] | None = None,
    point_data: Mapping[str, Array] | None = None,
) -> None:
    """Write polygons and fields, appended raw; the file appears complete or not at all.

    Args:
        path: The file to write or replace.
        points: Vertices, shape (n, 3).
        polygons: Vertices of each, shape (polygons, corners), or connectivity and offsets.
        cell_data: Fields on polygons.
        point_data: Fields on vertices.

    Raises:
        ValueError: If shapes or types do not fit.
    """
    connectivity, offsets = polygons if isinstance(polygons, tuple) else _flat(polygons)
    mesh = Mesh(points, connectivity, offsets, cell_data or {}, point_data or {})
    sections: dict[str, Mapping[str, Array]] = {
        "Points": {"Points": points},
        "Polys": {
            "connectivity": connectivity.astype(np.int64, copy=False),
            "offsets": offsets.astype(np.int64, copy=False),
        },
        "PointData": mesh.point_data,
        "CellData": mesh.cell_data,
    }
    with atomic(path) as part, part.open("wb") as out:
        counts = polydata_counts(points=len(points), polys=len(offsets))
        write_xml(out, "PolyData", counts, sections)


def _demand(file: VtkXml, arrays: Collection[str] | None) -> None:
    """Refuse a file that lacks an array that is asked for."""
    first = file.pieces[0]
    known = first.section("CellData") | first.section("PointData")
    for name in arrays or ():
        if name not in known:
            raise LookupError(f"{file.source}: {unknown('array', name, known)}")


def _read_piece(file: VtkXml, piece: Piece, arrays: Collection[str] | None) -> Mesh:
    """One piece."""
    vertices, cells = piece.counts.get("NumberOfPoints", 0), piece.counts.get("NumberOfPolys", 0)
    others = {k: n for k, n in piece.counts.items() if n and k[8:] in ("Verts", "Lines", "Strips")}
    if others:
        raise ValueError(f"{file.source} holds other things than polygons: {others}. Extract them")
    points, polys = piece.section("Points"), piece.section("Polys")
    if len(points) != 1 or not {"connectivity", "offsets"} <= set(polys):
        raise ValueError(f"{file.source} lacks points, connectivity or offsets: is it truncated?")
    offsets = decode(file, polys["offsets"], cells)
    length = max(int(offsets[-1]), 0) if cells else 0

    def fields(section: str, count: int) -> dict[str, Array]:
        return {
            name: decode(file, array, count)
            for name, array in piece.section(section).items()
            if arrays is None or name in arrays
        }

    corners = decode(file, polys["connectivity"], length)
    places = decode(file, next(iter(points.values())), vertices)
    data = fields("CellData", cells), fields("PointData", vertices)
    try:
        return Mesh(places, corners, offsets, *data)
    except ValueError as error:
        raise ValueError(f"{file.source} is damaged: {error}") from error


def _flat(polygons: Integers) -> tuple[Integers, Integers]:
    """Connectivity and offsets of polygons with equally many corners."""
    if polygons.ndim != 2:
        raise ValueError(f"polygons have shape {polygons.shape}, expected (polygons, corners)")
    count, corners = polygons.shape
    return polygons.reshape(-1), np.arange(1, count + 1) * corners
