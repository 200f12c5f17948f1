"""Fields at the points of a mesh that VTK wrote: read the points, add fields, leave the rest.

Fields are added as text at the place where they belong. What the file holds besides (cells of any
kind, other fields, parts that this package cannot read) stays as it is, byte for byte.
"""

import base64
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ansatz.core.artifacts import atomic
from ansatz.mesh.vtkwrite import element
from ansatz.mesh.vtkxml import Array, Piece, VtkXml, content_of, decode, scan, tags

KINDS = {".vtp": "PolyData", ".vtu": "UnstructuredGrid"}
PREDICTED = "_predicted"


def read_points(
    path: Path, arrays: Collection[str] = ()
) -> tuple[NDArray[np.float64], dict[str, Array]]:
    """Read the points of a mesh, piece after piece.

    Args:
        path: A `.vtu` or `.vtp` file.
        arrays: Names of fields at points, which are read where all pieces have them.

    Returns:
        Points, shape (n, 3), and fields.

    Raises:
        ValueError: If the file is of another kind, damaged, or has no points.
        OSError: If it cannot be read.
    """
    file = _scanned(path)
    places: list[Array] = []
    found: dict[str, list[Array]] = {name: [] for name in arrays}
    for piece in file.pieces:
        count = _count(piece)
        points, data = piece.section("Points"), piece.section("PointData")
        if len(points) != 1:
            raise ValueError(f"{path.name} has a piece without points: is it truncated?")
        place = decode(file, next(iter(points.values())), count)
        if place.shape != (count, 3):
            raise ValueError(
                f"{path.name} has points of shape {place.shape}, expected ({count}, 3)"
            )
        places.append(place)
        for name in set(data) & set(found):
            found[name].append(decode(file, data[name], count))
    if not places or not sum(map(len, places)):
        raise ValueError(f"{path.name} has no points")
    common = {name: parts for name, parts in found.items() if len(parts) == len(places)}
    every = np.concatenate(places).astype(np.float64)
    if not np.isfinite(every).all():
        raise ValueError(f"{path.name} has points that are not finite")
    return every, {name: np.concatenate(parts) for name, parts in common.items()}


def add_point_data(source: Path, target: Path, data: Mapping[str, Array]) -> None:
    """Write a mesh with more fields at its points.

    Args:
        source: A `.vtu` or `.vtp` file.
        target: The file to write or replace.
        data: Fields, shape (n,) or (n, components), in the order of `read_points`. What has the
            name of a field that is there gets `_predicted` behind it, as often as needed.

    Raises:
        ValueError: If the file is damaged.
    """
    file = _scanned(source)
    taken = {name for piece in file.pieces for name in piece.section("PointData")}
    named = {_free(name, taken): values for name, values in data.items()}
    with atomic(target) as part, part.open("wb") as out:
        done = 0
        for start, stop, text in _insertions(file, named):
            out.write(file.content[done:start])
            out.write(text)
            done = stop
        out.write(file.content[done:])


def _scanned(path: Path) -> VtkXml:
    return scan(content_of(path), KINDS[path.suffix.lower()], path.name)


def _count(piece: Piece) -> int:
    """The number of points; none is what a piece without them may leave out."""
    return piece.counts.get("NumberOfPoints", 0)


def _free(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += PREDICTED
    return name


def _insertions(file: VtkXml, data: Mapping[str, Array]) -> Iterator[tuple[int, int, bytes]]:
    """What to write in place of the bytes from one position to another, in order."""
    places: list[tuple[int, int]] = []  # ends of the tags of pieces, and of their point data
    for tag, _, end in tags(file.content, file.appended or len(file.content)):
        if tag == "Piece":
            places.append((end, 0))
        elif tag == "PointData" and places:
            places[-1] = (places[-1][0], end)
    first = 0
    for piece, (end, inner) in zip(file.pieces, places, strict=True):
        rows = slice(first, first := first + _count(piece))
        text = b"\n".join(_inline(file, name, values[rows]) for name, values in data.items())
        if not inner:
            yield end, end, b"\n<PointData>\n" + text + b"\n</PointData>"
        elif file.content[inner - 2 : inner] == b"/>":
            yield inner - 2, inner, b">\n" + text + b"\n</PointData>"
        else:
            yield inner, inner, b"\n" + text


def _inline(file: VtkXml, name: str, values: Array) -> bytes:
    """An array as base64 in its element, in the ways of the file."""
    block = np.ascontiguousarray(values, values.dtype.newbyteorder(file.order)).tobytes()  # type: ignore[arg-type]
    if file.is_compressed:
        packed = zlib.compress(block)
        head = np.array([1, len(block), 0, len(packed)], file.order + file.header)
        text = base64.b64encode(head.tobytes()) + base64.b64encode(packed)
    else:
        text = base64.b64encode(np.array([len(block)], file.order + file.header).tobytes() + block)
    return f'{element(name, values)} format="binary">\n'.encode() + text + b"\n</DataArray>"
