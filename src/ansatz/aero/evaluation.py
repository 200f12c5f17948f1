"""The device's part of a prediction: networks at points, chunk by chunk.

All lengths are in lengths of the body. The tensors of a request are

    proportions (3), log_reynolds ()                         of the body and the flow
    half{s}_points, _normals (m, 3), _weights (m,)           anchors of half s = 0, 1
    half{s}_grid{k} (nx, ny, nz, 7), half{s}_origin{k} (3)   its splats (`ansatz.aero.cloud`)
    cells_points, _normals, _sides, _source, _signs          folded cells (`ansatz.aero.folding`)
    places, normals (n, 3), areas (n,)                       the cells, for integrals
    asked_..., flow_...                                      further points, if wanted

Each point depends on the anchors alone, so the size of a chunk changes neither answer nor memory.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from ansatz.aero.cloud import RADII, Pyramid, local_features
from ansatz.aero.folding import unfold
from ansatz.aero.forces import surface_force, surface_moment
from ansatz.aero.model import DominoEnsemble, DominoNet, point_features, volume_features
from ansatz.aero.surface import Surface

CHUNK = 4096  # points that are evaluated together: they fit in a processor's cache
Tensors = dict[str, Tensor]
Slices = list[list[Tensor]]  # by half and block


def evaluate(model: DominoEnsemble, tensors: Tensors) -> Tensors:
    """Evaluate an ensemble for a request.

    Args:
        model: On any device.
        tensors: Of the request; see the module's text.

    Returns:
        On the host: `cells` (n, 4) and `asked` (k, 4), Cp and Cf, the members' mean;
        `cells_deviation` (n,), `asked_deviation` (k,) of Cp; `flow` (m, 6), the mean; `force` and
        `moment` (members, 3) over q L² and q L³, the moment about the nose on the ground.
    """
    device = next(model.parameters()).device
    tensors = {name: values.to(device) for name, values in tensors.items()}
    members = [member for member in model.members if isinstance(member, DominoNet)]
    with torch.inference_mode():
        halves = anchors(tensors)
        slices = [[member.encode(*half) for half in halves] for member in members]
        fields = surface_fields(members, slices, tensors)
        out = {"cells": fields.mean(0), "cells_deviation": fields[..., 0].std(0, correction=0)}
        out |= integrals(fields, tensors)
        del fields
        if "asked_points" in tensors:
            out |= asked_fields(members, slices, tensors)
        if "flow_points" in tensors:
            out["flow"] = flow_fields(members, slices, tensors)
    return {name: values.cpu() for name, values in out.items()}


def anchors(tensors: Tensors) -> list[tuple[Tensor, Tensor]]:
    """Features and weights of the anchors of both halves, or of the one that stands for both."""
    found = []
    for side in range(2):
        name = f"half{side}"
        if f"{name}_points" in tensors:
            points, normals = tensors[f"{name}_points"], tensors[f"{name}_normals"]
            seen = features(tensors, side, points, normals)
            found.append((seen[None], tensors[f"{name}_weights"][None]))
    return found


def features(tensors: Tensors, side: int, points: Tensor, normals: Tensor) -> Tensor:
    """Features of points of one half."""
    name = f"half{side}"
    levels = range(len(RADII))
    pyramid = Pyramid(
        tuple(tensors[f"{name}_grid{level}"] for level in levels),
        tuple(tensors[f"{name}_origin{level}"] for level in levels),
    )
    local = local_features(pyramid, points)
    condition = (tensors["proportions"], tensors["log_reynolds"])
    return point_features(points, normals, local, *condition)


def chunks(tensors: Tensors, name: str) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Side, indices and features of the points of a set, in chunks of one side each."""
    points, normals = tensors[f"{name}_points"], tensors[f"{name}_normals"]
    for side in range(2):
        mine = torch.nonzero(tensors[f"{name}_sides"] == side).squeeze(1)
        for index in torch.split(mine, CHUNK) if len(mine) else ():
            yield side, index, features(tensors, side, points[index], normals[index])


def surface_fields(
    members: list[DominoNet], slices: list[Slices], tensors: Tensors
) -> Float[Tensor, "members n 4"]:
    """Cp and Cf of every member at the cells of the geometry."""
    count = len(tensors["cells_points"])
    found = tensors["areas"].new_empty(len(members), count, 4)
    for side, index, points in chunks(tensors, "cells"):
        for number, member in enumerate(members):
            found[number, index] = member.surface(slices[number][side], points[None])[0]
    source, signs = tensors["cells_source"], tensors["cells_signs"]
    return torch.stack([unfold(fields, source, signs) for fields in found])


def asked_fields(members: list[DominoNet], slices: list[Slices], tensors: Tensors) -> Tensors:
    """Cp and Cf at further cells: mean and deviation, without keeping the members."""
    count = len(tensors["asked_points"])
    mean = tensors["areas"].new_empty(count, 4)
    deviation = tensors["areas"].new_empty(count)
    for side, index, points in chunks(tensors, "asked"):
        each = torch.stack(
            [m.surface(s[side], points[None])[0] for m, s in zip(members, slices, strict=True)]
        )
        mean[index] = each.mean(0)
        deviation[index] = each[..., 0].std(0, correction=0)
    source = tensors["asked_source"]
    return {
        "asked": unfold(mean, source, tensors["asked_signs"]),
        "asked_deviation": deviation[source],
    }


def flow_fields(
    members: list[DominoNet], slices: list[Slices], tensors: Tensors
) -> Float[Tensor, "m 6"]:
    """u/U, Cp, log10 νt/(U L) and log10 k/U² at points of the flow: the members' mean."""
    found = tensors["areas"].new_empty(len(tensors["flow_points"]), 6)
    for side, index, points in chunks(tensors, "flow"):
        near = volume_features(points, tensors["flow_gaps"][index])[None]
        each = [m.volume(s[side], near)[0] for m, s in zip(members, slices, strict=True)]
        found[index] = torch.stack(each).mean(0)
    spread = found[tensors["flow_source"]]
    flip = torch.ones_like(spread)
    flip[:, 1] = tensors["flow_signs"]
    return spread * flip


def integrals(fields: Float[Tensor, "members n 4"], tensors: Tensors) -> Tensors:
    """Force and moment about the nose of every member, over q L² and q L³."""
    surface = Surface(tensors["places"], tensors["normals"], tensors["areas"])
    nose = torch.zeros(3, device=fields.device)
    pressure, shear = fields[..., 0], fields[..., 1:]
    return {
        "force": surface_force(surface, pressure, shear),
        "moment": surface_moment(surface, pressure, shear, nose),
    }
