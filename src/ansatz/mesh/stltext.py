"""The text form of STL: named solids made of facets.

    solid NAME
      facet normal NX NY NZ
        outer loop
          vertex X Y Z
          vertex X Y Z
          vertex X Y Z
        endloop
      endfacet
    endsolid NAME

Words may be in either case and separated by any white space, so a facet is 21 words, nine of
which are fixed. Blocks of facets are split, checked and converted as a whole; only a block that
does not fit is read again word by word, to say in which line it breaks.
"""

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FACET = (
    b"facet normal # # # outer loop vertex # # # vertex # # # vertex # # # endloop endfacet"
).split()
FIXED = [(i, word) for i, word in enumerate(FACET) if word != b"#"]
# Of text split at a time: words as Python objects take ten times as much, and fit into a cache.
BLOCK_BYTES = 1 << 17
BLOCK_FACETS = 1 << 14


def parse_text(content: bytes, source: str) -> list[tuple[str, NDArray[np.float32]]]:
    """Read the solids of a text STL.

    Args:
        content: The file.
        source: What messages call it.

    Returns:
        Name and triangles (n, 3, 3) of each solid.

    Raises:
        ValueError: If a facet is broken (with its line) or the last solid has no end.
    """
    text = content.lower()
    solids: list[tuple[str, NDArray[np.float32]]] = []
    position = _skip_blanks(text, 0)
    while position < len(text):
        if text[position : position + 6].split() != [b"solid"]:
            raise _broken(text, position, source, b"solid")
        body = _line_end(text, position)
        name = content[position + 5 : body].decode("utf-8", "replace").strip()
        end = text.find(b"endsolid", body)
        if end < 0:
            # A whole facet that is broken is the better message.
            _facets(text, body, text.rfind(b"endfacet") + len(b"endfacet"), source)
            raise ValueError(
                f"{source} is truncated: solid {name!r} has no endsolid. Transfer it again"
            )
        solids.append((name, _facets(text, body, end, source)))
        position = _skip_blanks(text, _line_end(text, end))
    return solids


def format_text(
    name: str, triangles: NDArray[np.float32], normals: NDArray[np.float64]
) -> Iterator[bytes]:
    """A solid as text, piece by piece, with the nine digits that float32 needs."""
    title = " ".join(name.split())
    yield f"solid {title}\n".encode()
    rows = np.concatenate([normals[:, None], triangles], axis=1, dtype=np.float32).reshape(-1, 12)
    facet = (
        "facet normal %.9g %.9g %.9g\n outer loop\n"
        + "  vertex %.9g %.9g %.9g\n" * 3
        + " endloop\nendfacet\n"
    )
    for start in range(0, len(rows), BLOCK_FACETS):
        block = rows[start : start + BLOCK_FACETS]
        yield (facet * len(block) % tuple(block.ravel().tolist())).encode()
    yield f"endsolid {title}\n".encode()


def _facets(text: bytes, start: int, stop: int, source: str) -> NDArray[np.float32]:
    """The triangles between two positions."""
    blocks = [np.zeros((0, 3, 3), np.float32)]
    while start < stop:
        cut = text.find(b"endfacet", min(start + BLOCK_BYTES, stop), stop)
        end = stop if cut < 0 else cut + len(b"endfacet")
        blocks.append(_block(text, start, end, source))
        start = end
    return np.concatenate(blocks)


def _block(text: bytes, start: int, stop: int, source: str) -> NDArray[np.float32]:
    """The triangles of a block of whole facets."""
    words = text[start:stop].split()
    size = len(FACET)
    if len(words) % size or any(
        words[place::size].count(word) * size != len(words) for place, word in FIXED
    ):
        raise _first_fault(text, start, stop, source)
    # Columns, not rows: nine lists of numbers are nine slices of the list of words.
    columns = [words[first + axis :: size] for first in (8, 12, 16) for axis in range(3)]
    try:
        with np.errstate(over="ignore"):  # what overflows is infinite, and refused as such
            flat = np.array([list(map(float, column)) for column in columns]).astype(np.float32)
    except ValueError as error:
        raise _first_fault(text, start, stop, source) from error
    return np.ascontiguousarray(flat.T).reshape(-1, 3, 3)


def _first_fault(text: bytes, start: int, stop: int, source: str) -> ValueError:
    """Where a block stops being facets."""
    number = 0
    for number, word in enumerate(re.finditer(rb"\S+", text[start:stop])):
        expected = FACET[number % len(FACET)]
        if not _fits(word.group(), expected):
            return _broken(text, start + word.start(), source, expected)
    return _broken(text, stop, source, FACET[(number + 1) % len(FACET)])


def _fits(word: bytes, expected: bytes) -> bool:
    """Whether a word stands where it may."""
    if expected != b"#":
        return word == expected
    try:
        float(word)
    except ValueError:
        return False
    return True


def _broken(text: bytes, position: int, source: str, expected: bytes) -> ValueError:
    """An error that names the line."""
    wanted = "a number" if expected == b"#" else repr(expected.decode())
    line = text.count(b"\n", 0, position) + 1
    found = text[position : position + 40].split(b"\n")[0].decode("ascii", "replace").strip()
    return ValueError(
        f"{source}, line {line}: expected {wanted}, found {found or 'the end'!r}. "
        "The facet is broken: export the geometry again"
    )


def _skip_blanks(text: bytes, position: int) -> int:
    """The next position that is not white space."""
    while text[position : position + 1].isspace():
        position += 1
    return position


def _line_end(text: bytes, position: int) -> int:
    """Where the line ends."""
    end = text.find(b"\n", position)
    return len(text) if end < 0 else end
