"""The data arrays of a VTK XML file, without keeping its text in memory.

A `DataArray` element holds its numbers in one of four ways:

    ascii               words
    binary              base64 in the element
    appended, raw       bytes after the `_` of the element AppendedData, from an offset on
    appended, base64    the same, as base64

All but the first begin with a header of unsigned integers (UInt32 or UInt64): the number of bytes
that follow or, in compressed files, the number of blocks, the size of a block, the size of the
last one if it differs (else 0) and the compressed size of each; then come the blocks. In base64,
the header of a compressed array is encoded apart from its blocks.
(VTK file formats, https://docs.vtk.org/en/latest/design_documents/VTKFileFormats.html)

The XML is scanned for positions, and numbers are decoded only when they are asked for: arrays
that are appended raw and not compressed are views of the file and take no memory.
"""

import binascii
import gzip
import html
import mmap
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]  # of any of the types below
Content: TypeAlias = bytes | mmap.mmap

TYPES = {
    "Int8": "i1", "Int16": "i2", "Int32": "i4", "Int64": "i8",
    "UInt8": "u1", "UInt16": "u2", "UInt32": "u4", "UInt64": "u8",
    "Float32": "f4", "Float64": "f8",
}  # fmt: skip
ORDERS = {"LittleEndian": "<", "BigEndian": ">"}
COMPRESSORS = {"": False, "vtkZLibDataCompressor": True}
SECTIONS = (
    "Points", "Cells", "Polys", "Verts", "Lines", "Strips", "CellData", "PointData", "FieldData",
)  # fmt: skip

# A comment, or a tag whose attributes may hold any character but `<` between their quotes. Every
# attempt ends at the next `<`, so that no file takes longer than its length.
TAG = re.compile(
    rb"""<!--.*?(?:-->|\Z)|<(/?)(\w+)((?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)>""", re.DOTALL
)
ATTRIBUTE = re.compile(r"""([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


@dataclass(frozen=True)
class DataArray:
    """Where an array is.

    Attributes:
        name: Of the array.
        section: Of its piece: `Points`, `Polys`, `CellData`, `PointData`, ...
        type: As `Float32`.
        components: Numbers per tuple.
        format: `ascii`, `binary` or `appended`.
        start, stop: Positions of the element's text.
        offset: Into the appended data.
    """

    name: str
    section: str
    type: str
    components: int
    format: str
    start: int
    stop: int
    offset: int


@dataclass(frozen=True)
class Piece:
    """Counts (as `NumberOfPoints`) and arrays of one piece of a data set."""

    counts: dict[str, int]
    arrays: list[DataArray] = field(default_factory=list)

    def section(self, name: str) -> dict[str, DataArray]:
        """The arrays of a section by name."""
        return {array.name: array for array in self.arrays if array.section == name}


@dataclass(frozen=True)
class VtkXml:
    """A scanned file.

    Attributes:
        content: Of the file.
        source: What messages call it.
        pieces: In order.
        order: Of bytes, `<` or `>`.
        header: Type of header integers, `u4` or `u8`.
        is_compressed: Whether arrays are in zlib blocks.
        appended: Position of the first appended byte.
        is_raw: Whether appended data are bytes and not base64.
    """

    content: Content
    source: str
    pieces: list[Piece]
    order: str
    header: str
    is_compressed: bool
    appended: int
    is_raw: bool


def content_of(path: Path) -> Content:
    """A file, mapped, or unpacked if it is gzipped.

    Raises:
        ValueError: If it is empty, or damaged as a gzip file.
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise ValueError(f"{path.name} is empty: 0 bytes")
        if file.read(2) == b"\x1f\x8b":
            file.seek(0)
            try:
                return gzip.decompress(file.read())
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise ValueError(f"{path.name} is a damaged gzip file: {error}") from error
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def scan(content: Content, kind: str, source: str) -> VtkXml:
    """Find the arrays of a VTK XML file.

    Args:
        content: The file.
        kind: The data set that it must hold, as `PolyData`.
        source: What messages call it.

    Raises:
        ValueError: If the file is of another kind, or written in a way that is not supported.
    """
    end = content.find(b"<AppendedData")
    begin = content.find(b"_", content.find(b">", end)) + 1 if end >= 0 else 0
    root: dict[str, str] = {}
    pieces: list[Piece] = []
    section = encoding = ""
    for tag, attributes, start in tags(content, begin or len(content)):
        if tag == "VTKFile":
            root = attributes
        elif tag == "Piece":
            counts = {k: int(v) for k, v in attributes.items() if k.startswith("NumberOf")}
            pieces.append(Piece(counts))
        elif tag in SECTIONS:
            section = tag
        elif tag == "AppendedData":
            encoding = attributes.get("encoding", "raw")
        elif tag == "DataArray" and pieces:
            pieces[-1].arrays.append(_data_array(content, attributes, section, start))
    if root.get("type") != kind:
        found = f"VTK XML of type {root.get('type')}" if root else "no VTK XML file"
        raise ValueError(f"{source} is {found}; expected type {kind}")
    compressor, order = root.get("compressor", ""), root.get("byte_order", "LittleEndian")
    if compressor not in COMPRESSORS:
        raise ValueError(f"{source} is compressed by {compressor}: write it with zlib or without")
    if order not in ORDERS:
        raise ValueError(f"{source} has byte order {order!r}; expected one of {', '.join(ORDERS)}")
    return VtkXml(
        content=content,
        source=source,
        pieces=pieces,
        order=ORDERS[order],
        header="u8" if root.get("header_type") == "UInt64" else "u4",
        is_compressed=COMPRESSORS[compressor],
        appended=begin,
        is_raw=encoding == "raw",
    )


def decode(file: VtkXml, array: DataArray, tuples: int) -> Array:
    """Read one array.

    Args:
        file: As scanned.
        array: Of that file.
        tuples: How many it must hold.

    Returns:
        Shape (tuples,), or (tuples, components) if there are several; may be a read-only view.

    Raises:
        ValueError: If the array does not hold so many numbers, or is damaged.
    """
    if array.type not in TYPES:
        raise ValueError(f"{file.source}: array {array.name!r} is of type {array.type!r}")
    kind = np.dtype(file.order + TYPES[array.type])
    size = tuples * array.components
    try:
        if array.format == "ascii":
            number = float if kind.kind == "f" else int
            words = file.content[array.start : array.stop].split()
            values: Array = np.array([number(word) for word in words], kind)
        else:
            values = np.frombuffer(_payload(file, array, size * kind.itemsize), kind)
        if len(values) != size:
            raise ValueError(f"{len(values)} numbers where {size} were expected")
    except (ValueError, OverflowError, zlib.error) as error:
        raise ValueError(f"{file.source}: array {array.name!r} is damaged: {error}") from error
    # Native, and aligned: an offset into the file may be odd.
    values = np.require(values, kind.newbyteorder("="), "A")
    return values.reshape(tuples, array.components) if array.components > 1 else values


def tags(content: Content, stop: int) -> Iterator[tuple[str, dict[str, str], int]]:
    """Name and attributes of every opening tag before a position, and where it ends."""
    for match in TAG.finditer(content, 0, stop):
        if match[2] is not None and not match[1]:
            text = match[3].decode("utf-8", "replace")
            pairs = {m[1]: html.unescape(m[2] or m[3] or "") for m in ATTRIBUTE.finditer(text)}
            yield match[2].decode(), pairs, match.end()


def _data_array(
    content: Content, attributes: dict[str, str], section: str, start: int
) -> DataArray:
    """An array as its tag describes it."""
    return DataArray(
        name=attributes.get("Name", ""),
        section=section,
        type=attributes.get("type", ""),
        components=int(attributes.get("NumberOfComponents", 1)),
        format=attributes.get("format", "ascii"),
        start=start,
        stop=content.find(b"<", start),
        offset=int(attributes.get("offset", 0)),
    )


def _payload(file: VtkXml, array: DataArray, size: int) -> bytes | memoryview:
    """The bytes of an array, without header and uncompressed."""
    if size == 0:
        return b""
    if array.format == "appended":
        begin = file.appended + array.offset
    else:
        text = file.content[array.start : array.start + 256]
        begin = array.start + len(text) - len(text.lstrip())
    if file.is_compressed:
        return _inflated(file, array, begin, size)
    width = np.dtype(file.header).itemsize
    held, end = _segment(file, array, begin, width + size)
    stated = int(np.frombuffer(held[:width], file.order + file.header)[0])
    if array.format == "binary" and file.content[end : array.stop].strip():
        raise ValueError(f"it holds more than the {size} bytes expected")
    # OpenFOAM v1912 states four times the length of the connectivity of its sampled surfaces.
    is_foam = (array.format, array.name, stated) == ("binary", "connectivity", 4 * size)
    if stated != size and not is_foam:
        raise ValueError(f"its header states {stated} bytes, expected {size}")
    return held[width:]


def _inflated(file: VtkXml, array: DataArray, begin: int, size: int) -> bytes:
    """The uncompressed bytes of an array in zlib blocks."""
    kind = np.dtype(file.order + file.header)
    head, _ = _segment(file, array, begin, kind.itemsize)
    blocks = int(np.frombuffer(head, kind)[0])
    if blocks > size:
        raise ValueError(f"its header states {blocks} blocks for {size} bytes")
    head, begin = _segment(file, array, begin, (3 + blocks) * kind.itemsize)
    _, block, last, *sizes = np.frombuffer(head, kind).tolist()
    if block * (blocks - (last > 0)) + last != size:
        raise ValueError(f"its {blocks} blocks of {block} bytes do not make {size}")
    packed = memoryview(_segment(file, array, begin, sum(sizes))[0])
    parts: list[bytes] = []
    for length in sizes:
        # At most a byte more than a block: a bomb inflates no further than it announced.
        inflater = zlib.decompressobj()
        parts.append(inflater.decompress(packed[:length], block + 1))
        if not inflater.eof:
            raise ValueError(f"one of its blocks does not inflate to {block} bytes")
        packed = packed[length:]
    if sum(map(len, parts)) != size:
        raise ValueError(f"its blocks inflate to {sum(map(len, parts))} bytes, expected {size}")
    return b"".join(parts)


def _segment(
    file: VtkXml, array: DataArray, begin: int, size: int
) -> tuple[bytes | memoryview, int]:
    """So many bytes that are encoded from a position on, and the position after them."""
    if array.format == "appended" and file.is_raw:
        end = begin + size
        held: bytes | memoryview = memoryview(file.content)[begin:end]
    else:
        end = begin + 4 * -(-size // 3)
        limit = end if array.format == "appended" else min(end, array.stop)
        held = memoryview(binascii.a2b_base64(file.content[begin:limit], strict_mode=True))[:size]
    if len(held) != size:
        raise ValueError(f"it ends after {len(held)} of {size} bytes")
    return held, end
