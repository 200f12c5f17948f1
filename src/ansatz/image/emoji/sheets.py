"""Pictures of 32 x 32 pixels, many of them in one lossless WebP file.

A sheet has 40 pictures in a row, the first in the top left corner. What is left over is white.
"""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32  # pixels of a picture
COLUMNS = 40

Pixels = NDArray[np.uint8]


def read_sheet(path: Path, count: int) -> Pixels:
    """The first pictures of a sheet.

    Args:
        path: Of the file.
        count: How many there are.

    Returns:
        RGB, shape (count, 32, 32, 3).

    Raises:
        ValueError: If the file is no sheet of so many pictures.
    """
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    shape = sheet_shape(count)
    if pixels.shape != shape:
        raise ValueError(
            f"{path} has {pixels.shape[1]} x {pixels.shape[0]} pixels, and a sheet of {count} "
            f"pictures has {shape[1]} x {shape[0]}: sheets and names must be of one rendering"
        )
    grid = pixels.reshape(-1, SIDE, COLUMNS, SIDE, 3).swapaxes(1, 2)
    return grid.reshape(-1, SIDE, SIDE, 3)[:count]


def sheet(pictures: Pixels) -> Pixels:
    """Lay pictures out, (n, 32, 32, 3) to (rows * 32, 1280, 3)."""
    shape = sheet_shape(len(pictures))
    cells = np.full((shape[0] // SIDE * COLUMNS, SIDE, SIDE, 3), 255, np.uint8)
    cells[: len(pictures)] = pictures
    return cells.reshape(-1, COLUMNS, SIDE, SIDE, 3).swapaxes(1, 2).reshape(shape)


def sheet_shape(count: int) -> tuple[int, int, int]:
    """Height, width and channels of a sheet."""
    return -(-count // COLUMNS) * SIDE, COLUMNS * SIDE, 3


def lossless(pixels: Pixels) -> bytes:
    """A picture as a WebP file that keeps every bit, as small as the encoder can."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", lossless=True, quality=100, method=6)
    return file.getvalue()
