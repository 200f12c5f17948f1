"""Maps of an ensemble: for each output what was given, mean, a member, spread and truth."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ansatz.core.artifacts import atomic
from ansatz.report.gallery import panels
from ansatz.report.pictures import Pixels, Scale
from ansatz.report.style import with_unit
from ansatz.weather.channels import Channel, labels

if TYPE_CHECKING:
    from ansatz.weather.answer import Ensemble

Floats = NDArray[np.floating]
COLORMAPS = {
    **dict.fromkeys(("10u", "10v", "u10m", "v10m"), "RdBu_r"),
    **dict.fromkeys(("2t", "t2m"), "RdYlBu_r"),
    **dict.fromkeys(("tp", "rain", "precip"), "YlGnBu"),
}
SPREAD = "magma"
TAILS = (0.5, 99.5)  # percentiles that a scale spans
LEAST = 160  # pixels along the longer side of a map, which a small one is enlarged to


def scale_of(channel: Channel, fields: list[Floats], colormap: str | None = None) -> Scale:
    """One scale for several maps of a quantity; of winds it is the same on both sides of calm."""
    colormap = colormap or COLORMAPS.get(channel.name, "viridis")
    known = np.concatenate([field[np.isfinite(field)].ravel() for field in fields])
    low, high = np.percentile(known, TAILS).tolist() if len(known) else (0.0, 1.0)
    if colormap == "RdBu_r":
        low, high = -max(abs(low), abs(high)), max(abs(low), abs(high))
    wide = max(high - low, 1e-6 * max(abs(low), abs(high), 1e-3))
    return Scale(with_unit(channel.label, channel.unit), low, low + wide, colormap)


def map_image(field: Floats, scale: Scale) -> Pixels:
    """A map as a picture with north above, its cells enlarged to whole pixels."""
    enlarge = max(1, -(-LEAST // max(field.shape)))
    colored = np.rint(255 * scale.colors(np.asarray(field[::-1], np.float64))).astype(np.uint8)
    image: Pixels = colored.repeat(enlarge, 0).repeat(enlarge, 1)
    return image


def write_maps(answer: "Ensemble", path: Path) -> None:
    """Write the maps of an ensemble as PNG.

    Raises:
        OSError: If the disk refuses.
    """
    with atomic(path) as part:
        part.write_bytes(map_sheet(answer))


def map_sheet(answer: "Ensemble", width: int = 1100) -> bytes:
    """The maps of an ensemble, a row per output, as PNG."""
    images: list[Pixels] = []
    titles: list[str] = []
    scales: list[Scale | None] = []
    for place, channel in enumerate(answer.channels.outputs):
        for title, field, scale in _row(answer, place, channel):
            images.append(map_image(field, scale))
            titles.append(title)
            scales.append(scale)
    columns = len(images) // len(answer.channels.outputs)
    data = panels(images, titles, scales=scales, columns=columns, width=width, form="png").data
    assert isinstance(data, bytes)
    return data


def _row(answer: "Ensemble", place: int, channel: Channel) -> list[tuple[str, Floats, Scale]]:
    """Titles, maps and scales of an output; what was given only if it is an input too."""
    fine: list[tuple[str, Floats]] = [("mean", answer.members[:, place].mean(0))]
    if len(answer.members) > 1:
        fine.append(("one member", answer.members[0, place]))
    if answer.truth is not None:
        fine.append(("truth", answer.truth[place]))
    inputs, factor = labels(answer.channels.inputs), answer.channels.factor
    if channel.label in inputs:
        coarse = answer.coarse[inputs.index(channel.label)]
        fine.insert(0, ("given", coarse.repeat(factor, 0).repeat(factor, 1)))
    elif any(label in inputs for label in labels(answer.channels.outputs)):
        fine.insert(0, ("not given", np.full_like(answer.mean[place], np.nan)))
    scale = scale_of(channel, [field for _, field in fine])
    row = [(f"{channel.label}, {title}", field, scale) for title, field in fine]
    if len(answer.members) == 1:
        return row
    spread = answer.spread[place]
    return [*row, (f"{channel.label}, spread", spread, scale_of(channel, [spread], SPREAD))]
