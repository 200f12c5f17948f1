"""Pictures of values on triangles in space.

The view is orthographic. Colors say the value; light only says the shape: it darkens a color by
how far its triangle is turned from a lamp over the viewer's head, and a thin line marks where a
part ends in front of another. Triangles are seen from both sides.
"""

from dataclasses import dataclass

import matplotlib
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ansatz.core.errors import unknown
from ansatz.report import raster
from ansatz.report.statistics import Floats

Pixels = NDArray[np.uint8]

# Toward the viewer, and what is up in the picture. x grows to the right where it can; "front"
# sees the end at small x.
VIEWS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "side": ((0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
    "front": ((-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    "rear": ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    "top": ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
    "bottom": ((0.0, 0.0, -1.0), (0.0, -1.0, 0.0)),
    "iso": ((-0.66, -0.62, 0.38), (0.0, 0.0, 1.0)),
    "iso-rear": ((0.66, -0.62, 0.38), (0.0, 0.0, 1.0)),
}
_LAMP = np.array([-0.2, 0.6, 0.775])  # right, up, toward the viewer; length 1
_SUPERSAMPLING = 2
_MARGIN = 0.015


@dataclass(frozen=True)
class Scale:
    """From values to colors.

    Attributes:
        label: What the values are, with their unit.
        low: Value of the first color; smaller values share it.
        high: Value of the last color; larger values share it.
        colormap: A name that matplotlib knows.
    """

    label: str
    low: float
    high: float
    colormap: str = "viridis"

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(
                f"the scale of {self.label} goes from {self.low} to {self.high}; "
                "expected a lower end below the upper one"
            )
        if self.colormap not in matplotlib.colormaps:
            raise LookupError(unknown("colormap", self.colormap, matplotlib.colormaps))

    def colors(self, values: Floats) -> Floats:
        """Red, green and blue between 0 and 1, shape (..., 3); gray where a value is not finite."""
        share = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        known = np.isfinite(values)[..., None]
        colored = matplotlib.colormaps[self.colormap](np.nan_to_num(share))[..., :3]
        return np.where(known, colored, 0.6)


def render(
    triangles: ArrayLike, values: ArrayLike, view: str, scale: Scale, *, width: int = 1000
) -> Pixels:
    """Picture of values on triangles.

    Args:
        triangles: Corners, shape (n, 3, 3), in any unit.
        values: One value per triangle, shape (n,), or per corner, shape (n, 3); those of corners
            are interpolated.
        view: A name of `VIEWS`.
        scale: From values to colors.
        width: Of the picture, pixels; its height follows from what it shows.

    Returns:
        Red, green, blue and opacity, shape (height, width, 4); transparent around the body.

    Raises:
        ValueError: If there are no triangles, or values are neither one each nor three.
        LookupError: If there is no view of that name.
    """
    solid, known = np.asarray(triangles, np.float64), np.asarray(values, np.float64)
    if solid.shape != (len(known), 3, 3) or known.shape[1:] not in ((), (3,)) or len(known) == 0:
        raise ValueError(
            f"triangles {solid.shape} and values {known.shape} do not belong together; "
            "expected (n, 3, 3), and (n,) or (n, 3), with n > 0"
        )
    if view not in VIEWS:
        raise LookupError(unknown("view", view, VIEWS))
    corners, height = _projected(solid, view, width * _SUPERSAMPLING)
    owner, front = raster.visible(corners, height, width * _SUPERSAMPLING)
    covered = owner >= 0
    if known.ndim == 1:
        paint = scale.colors(known)[owner[covered]]
    else:
        paint = scale.colors(raster.interpolated(corners, known, owner))
    bright = _light(corners)[owner[covered]] * _outline(front, 0.02 * front.shape[1])[covered]
    picture = np.zeros((*owner.shape, 4), dtype=np.float32)
    picture[covered, :3] = paint * bright[:, None]
    picture[covered, 3] = 1
    return _reduced(picture, _SUPERSAMPLING)


def _projected(solid: Floats, view: str, width: int) -> tuple[Floats, int]:
    """Corners in pixels, heights toward the viewer likewise, and the picture's height."""
    toward, up = (np.array(axis) for axis in VIEWS[view])
    toward /= np.linalg.norm(toward)
    right = np.cross(up, toward)
    right /= np.linalg.norm(right)
    seen = solid @ np.stack([right, -np.cross(toward, right), toward], axis=1)
    low, high = seen.min(axis=(0, 1)), seen.max(axis=(0, 1))
    extent = np.maximum(high - low, 1e-9 * (high - low).max() + 1e-300)
    pixel = width * (1 - 2 * _MARGIN) / extent[0]
    corners = (seen - low) * pixel + _MARGIN * width
    height = int(np.ceil(extent[1] * pixel + 2 * _MARGIN * width))
    # A whole number of rows after reduction.
    return corners, -(-height // _SUPERSAMPLING) * _SUPERSAMPLING


def _light(corners: Floats) -> Floats:
    """Brightness of each triangle, shape (n,), 1 where it faces the lamp."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal *= np.array([1.0, -1.0, 1.0])  # rows grow downwards
    normal *= np.where(normal[:, 2:] < 0, -1.0, 1.0)  # the side that faces the viewer
    length = np.linalg.norm(normal, axis=1)
    facing = np.divide(normal @ _LAMP, length, out=np.zeros_like(length), where=length > 0)
    lit: Floats = 0.74 + 0.26 * np.clip(facing, 0, 1)
    return lit


def _outline(front: Floats, jump: float) -> Floats:
    """Brightness that falls where a pixel lies in front of a neighbor by more than `jump`."""
    padded = np.pad(front, 1, constant_values=-np.inf)
    around = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    edge = np.minimum.reduce(around) < front - jump
    return np.where(edge, 0.45, 1.0)


def _reduced(picture: NDArray[np.float32], factor: int) -> Pixels:
    """Average blocks of pixels, colors weighted by opacity."""
    height, width = picture.shape[0] // factor, picture.shape[1] // factor
    picture[..., :3] *= picture[..., 3:]
    mean = picture.reshape(height, factor, width, factor, 4).mean(axis=(1, 3))
    opacity = mean[..., 3:]
    mean[..., :3] = np.divide(mean[..., :3], opacity, out=mean[..., :3], where=opacity > 0)
    return np.asarray(np.rint(255 * np.clip(mean, 0, 1)), dtype=np.uint8)
