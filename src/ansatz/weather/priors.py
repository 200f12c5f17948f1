"""What fine fields have to obey, whatever a network says: hard constraints on the members.

Where the coarse field c is the block mean of the fine one x, the nearest field with that mean is

    x + U(c - D x),      D the block mean, U its transpose: each fine cell gets its coarse value.

Where x is a quantity that is never negative, as rain, negative values are cut off, and the mean is
restored by a factor per block, x U(c / D x), which keeps zeros and signs; a block that is dry
although its mean is not gets the mean everywhere (Harder et al., arXiv:2208.05424, §3).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ansatz.weather.channels import Channels, labels, place_of
from ansatz.weather.grid import block_mean, nearest


def obeying(
    fine: Float[Tensor, "*b c H W"], coarse: Float[Tensor, "*b k h w"], channels: Channels
) -> Float[Tensor, "*b c H W"]:
    """Fine fields that keep to what is known of them.

    Args:
        fine: Of the network, in the units of the channels.
        coarse: What was given, in theirs; broadcast to the fine fields.
        channels: Say which outputs are block means, and which never negative.

    Returns:
        The fields in float32. Computed in float64: 1e-6 of a temperature in K is lost otherwise.
    """
    found = fine.double().clone()
    for place, label in enumerate(labels(channels.outputs)):
        field = found[..., place, :, :]
        is_positive = label in channels.positive
        if label in channels.block_mean:
            given = coarse[..., place_of(label, channels.inputs), :, :].double()
            constrain = scaled_to if is_positive else shifted_to
            found[..., place, :, :] = constrain(field, given, channels.factor)
        elif is_positive:
            found[..., place, :, :] = field.clamp(min=0)
    return found.float()


def shifted_to(
    fine: Float[Tensor, "*b H W"], coarse: Float[Tensor, "*b h w"], factor: int
) -> Float[Tensor, "*b H W"]:
    """The nearest field whose block means are the coarse field."""
    return fine + nearest(coarse - block_mean(fine, factor), factor)


def scaled_to(
    fine: Float[Tensor, "*b H W"], coarse: Float[Tensor, "*b h w"], factor: int
) -> Float[Tensor, "*b H W"]:
    """A field that is nowhere negative and whose block means are the coarse field, if that is."""
    wet, target = fine.clamp(min=0), coarse.clamp(min=0)
    mean = block_mean(wet, factor)
    is_dry = mean == 0
    scale = torch.where(is_dry, 0.0, target / torch.where(is_dry, 1.0, mean))
    return wet * nearest(scale, factor) + nearest(torch.where(is_dry, target, 0.0), factor)
