"""Maps of two cases: the one with the largest error, and one in the middle."""

from collections.abc import Sequence

import numpy as np

from ansatz.core.findings import Case, Figure, Section
from ansatz.report.gallery import panels
from ansatz.report.pictures import Pixels
from ansatz.report.statistics import Floats
from ansatz.weather.answer import Ensemble
from ansatz.weather.channels import Channels, labels
from ansatz.weather.comparison import (
    CRPS,
    MODEL,
    Quantity,
    quantities,
    score_rows,
    with_truth,
)
from ansatz.weather.inputs import Fields
from ansatz.weather.maps import SPREAD, map_image, scale_of

SHORE = 0.5  # share of land
BLACK = 25


def check_maps(cases: Sequence[Case]) -> Section:
    """Maps of the worst case, by CRPS over all outputs, and of one in the middle.

    Args:
        cases: Those without a truth are left out.
    """
    known = with_truth(cases)
    if not known:
        return Section("Maps", text="There is no truth to compare the fields with.")
    outputs = [q for q in quantities(known[0].answer.channels) if not q.is_wind]
    order = np.argsort(errors(known, outputs))
    # Of a single case, the middle one is the worst one.
    shown = {int(order[len(order) // 2]): "the middle", int(order[-1]): "the worst"}
    figures = [
        case_maps(known[index], quantity, which)
        for index, which in reversed(shown.items())
        for quantity in outputs
    ]
    return Section("Maps of the worst case and of one in the middle", figures=tuple(figures))


def errors(cases: Sequence[Case], outputs: Sequence[Quantity]) -> Floats:
    """The CRPS of each case, added up over outputs in their standard deviations, (cases,)."""
    stds = cases[0].answer.channels.output_std
    scores = [
        score_rows(cases, MODEL, q)[:, CRPS] / std for q, std in zip(outputs, stds, strict=True)
    ]
    total: Floats = np.sum(scores, axis=0)
    return total


def case_maps(case: Case, quantity: Quantity, which: str) -> Figure:
    """Input, mean, members, truth and spread of one output, with the coast where it is known."""
    answer: Ensemble = case.answer
    channel = answer.channels.outputs[quantity.columns[0]]
    fields = given(answer, channel.label) | {"mean of the first stage": quantity.of(answer.mean)}
    members = quantity.of(answer.members)
    fields |= {f"member {k + 1}": member for k, member in enumerate(members[:2])}
    fields["truth"] = quantity.of(case.truth.fine)
    scale = scale_of(channel, list(fields.values()))
    scales = [scale] * len(fields)
    if len(members) > 1:
        fields["spread"] = members.std(0, ddof=1)
        scales.append(scale_of(channel, [fields["spread"]], SPREAD))
    land = land_of(case)
    pictures = [map_image(field, s) for field, s in zip(fields.values(), scales, strict=True)]
    shores = pictures if land is None else [with_coast(picture, land) for picture in pictures]
    where = ", ".join(text for text in (case.truth.region, case.truth.time) if text)
    caption = f"{channel.label} of {which} case, {case.name}: {where}, member {case.truth.member}."
    return panels(shores, list(fields), scales=scales, columns=3, width=900, caption=caption)


def given(answer: Ensemble, label: str) -> dict[str, Floats]:
    """The coarse field of an output, on the fine grid; nothing if it was not given."""
    inputs, factor = labels(answer.channels.inputs), answer.channels.factor
    if label not in inputs:
        return {}
    coarse = answer.coarse[inputs.index(label)].astype(np.float64)
    return {"input": coarse.repeat(factor, 0).repeat(factor, 1)}


def land_of(case: Case) -> Floats | None:
    """The land mask of a case, if it is among its static fields."""
    channels: Channels = case.answer.channels
    found = [place for place, name in enumerate(labels(channels.statics)) if name.startswith("lsm")]
    if not found or not isinstance(case.request.input, Fields):
        return None
    land: Floats = case.request.input.static[found[0]]
    return land


def with_coast(picture: Pixels, land: Floats) -> Pixels:
    """Draw the border between land and sea on a map.

    Args:
        picture: As `map_image` draws it, each cell a square of pixels, north above.
        land: Share of land of each cell, shape (H, W), row 0 the southernmost.
    """
    enlarged = picture.shape[0] // land.shape[0]
    is_land = (land[::-1] > SHORE).repeat(enlarged, 0).repeat(enlarged, 1)
    border = np.zeros_like(is_land)
    border[1:] |= is_land[1:] != is_land[:-1]
    border[:, 1:] |= is_land[:, 1:] != is_land[:, :-1]
    drawn = picture.copy()
    drawn[border] = BLACK
    return drawn
