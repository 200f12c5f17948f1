"""What a network is given beside the noise, from fields in their units.

In order, on the fine grid: the coarse fields, interpolated, as z-scores; the static fields as
z-scores; then, where asked for, the coarse 2 m temperature at the height of the fine relief,

    T + Γ (z - z_c),   Γ = -6.5 K/km (ICAO Doc 7488, standard atmosphere),

z the relief and z_c the interpolation of its block mean, as a z-score of the temperature; and the
lead time in days.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ansatz.weather.channels import (
    RELIEF,
    TEMPERATURE,
    Channels,
    Conditioning,
    first_of,
    labels,
    z_score,
)
from ansatz.weather.grid import block_mean, upsample

LAPSE_RATE = -6.5e-3  # K/m


def num_condition(channels: Channels, options: Conditioning) -> int:
    """How many channels `condition` has."""
    return len(channels.inputs) + len(channels.statics) + options.lapse + options.lead


def condition(
    coarse: Float[Tensor, "b c h w"],
    static: Float[Tensor, "b s H W"],
    channels: Channels,
    options: Conditioning,
    lead: Float[Tensor, " b"] | None = None,
) -> Float[Tensor, "b n H W"]:
    """The input of a network, from fields in their units.

    Args:
        coarse: The coarse fields, row 0 in the south.
        static: The static fields, row 0 in the south.
        channels: What they are.
        options: What to add; of a store, `channels.conditioning`.
        lead: Lead times, hours, where `options.lead` asks for them.

    Raises:
        ValueError: If a lead time is asked for and not given, or the temperature at height is and
            there is no temperature or no relief.
    """
    smooth = upsample(coarse, channels.factor)
    parts = [
        z_score(smooth, channels.input_mean, channels.input_std),
        z_score(static, channels.static_mean, channels.static_std),
    ]
    if options.lapse:
        at, relief = lapse_channels(channels)
        moved = smooth[:, at] + lapse(static[:, relief], channels.factor)
        parts.append(((moved - channels.input_mean[at]) / channels.input_std[at])[:, None])
    if options.lead:
        if lead is None:
            raise ValueError("this network is told the lead time; give it, in hours")
        days = (lead.to(smooth) / 24)[:, None, None, None]
        parts.append(days.expand(-1, 1, *smooth.shape[-2:]))
    return torch.cat(parts, 1)


def lapse(relief: Float[Tensor, "*b H W"], factor: int) -> Float[Tensor, "*b H W"]:
    """What the fine relief does to the temperature of the coarse grid, K.

    Args:
        relief: Height above sea level, m.
        factor: Fine cells per coarse cell.
    """
    return LAPSE_RATE * (relief - upsample(block_mean(relief, factor), factor))


def lapse_channels(channels: Channels) -> tuple[int, int]:
    """Where the coarse 2 m temperature and the relief stand.

    Raises:
        ValueError: If one of them is missing.
    """
    at, relief = first_of(TEMPERATURE, channels.inputs), first_of(RELIEF, channels.statics)
    if at is None or relief is None:
        raise ValueError(
            f"a temperature at the height of the relief needs one of {', '.join(TEMPERATURE)} "
            f"among the inputs ({', '.join(labels(channels.inputs))}) and one of "
            f"{', '.join(RELIEF)} among the statics ({', '.join(labels(channels.statics))})"
        )
    return at, relief
