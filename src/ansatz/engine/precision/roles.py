"""What part a layer plays in a network, and so whether it may be rounded.

| role | what it is | rounded |
|---|---|---|
| hidden | a linear layer or convolution between others | yes |
| read | one whose weight another formula reads as well | its weight only |
| first | the first of the network, unless an embedding comes before it | no |
| last | the last of the network | no |
| modulation | what tells layers the time or the guidance: small and touching everything | no |
| narrow | fewer than 32 inputs or outputs: nothing to gain, and errors do not average out | no |
| grouped | convolutions in groups, transposed, or not filled up with zeros | no |
| embedding, norm | tables and normalizations | no |
| other | subclasses of linear layers and all else with weights | no |

First and last are by the order of calls where the network was run to calibrate it, and otherwise by
the order in which layers were made. What types do not show, an attribute says:

    self.shift = playing("modulation", nn.Linear(width, features))

and it holds for all that is inside. A network needs none of it to be rounded.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

from torch import nn

Role = Literal[
    "hidden",
    "read",
    "first",
    "last",
    "modulation",
    "narrow",
    "grouped",
    "embedding",
    "norm",
    "other",
]
ROUNDED: frozenset[Role] = frozenset({"hidden", "read"})
ATTRIBUTE = "precision_role"
NARROW = 32
EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
NORMS = (
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
)
CONVOLUTIONS = (nn.modules.conv._ConvNd,)
Module = TypeVar("Module", bound=nn.Module)


def playing(role: Role, module: Module) -> Module:
    """Say what part a module plays, with all that is inside."""
    object.__setattr__(module, ATTRIBUTE, role)
    return module


def roles(network: nn.Module, calls: Sequence[str] = ()) -> dict[str, Role]:
    """The role of each module that has weights of its own.

    Args:
        network: All of it.
        calls: Names of layers in the order of their calls, if it was run.

    Returns:
        Roles by name, in the order in which the layers were made.
    """
    said = dict(_said(network))
    found = {
        name: said.get(name) or _by_type(module)
        for name, module in network.named_modules()
        if next(module.parameters(recurse=False), None) is not None
    }
    ends = [name for name in (calls or found) if found.get(name) in ("hidden", "narrow")]
    before = next((n for n in (calls or found) if found.get(n) in ("hidden", "embedding")), "")
    if ends and found[ends[0]] == "hidden" and found.get(before) != "embedding":
        found[ends[0]] = "first"
    if len(ends) > 1 and found[ends[-1]] == "hidden":
        found[ends[-1]] = "last"
    return found


def _said(network: nn.Module) -> Iterator[tuple[str, Role]]:
    """What attributes say, by name."""
    for name, module in network.named_modules():
        role = getattr(module, ATTRIBUTE, None)
        if role is not None:
            for inner, _ in module.named_modules(prefix=name):
                yield inner, role


def _by_type(module: nn.Module) -> Role:
    if type(module) is nn.Linear:
        is_narrow = min(module.in_features, module.out_features) < NARROW
        return "narrow" if is_narrow else "hidden"
    if type(module) is nn.Conv2d:
        if module.groups > 1 or module.padding_mode != "zeros":
            return "grouped"
        is_narrow = min(module.in_channels, module.out_channels) < NARROW
        return "narrow" if is_narrow else "hidden"
    if isinstance(module, EMBEDDINGS):
        return "embedding"
    if isinstance(module, NORMS):
        return "norm"
    return "grouped" if isinstance(module, CONVOLUTIONS) else "other"
