"""A DoMINO-family network: encode a geometry once, query it anywhere, as often as one likes.

    anchors  a few thousand cells of the body with what they see of it (`ansatz.aero.cloud`)
    slices   per block, the anchors are pooled into a few learned slices; the slices attend to one
             another, which couples the nose to the wake: physics attention (Transolver, Wu et
             al., arXiv:2402.02366, eq. 2-5), here with area weights, so that the pooled slices
             converge as the mesh is refined
    queries  points on the surface or in the flow run through the same blocks and only read the
             slices of the anchors (the idea of anchors in AB-UPT, Alkin et al.,
             arXiv:2502.09692): the cost is linear in the queries, chunks give the same answer as
             one piece, and a body is encoded once for all of them

One trunk serves all outputs. On the surface it gives Cp and Cf, whose vector is projected on the
tangent plane; in the volume u/U, Cp, νt/(U L) and k/U².
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge
from jaxtyping import Float
from torch import Tensor, nn

from ansatz.aero.cloud import LOCAL_FEATURES
from ansatz.engine.precision.roles import playing

HARMONICS = 4  # of the Fourier features of a position
POINT_FEATURES = 3 + 3 + 3 + 2 + 6 * HARMONICS + LOCAL_FEATURES
VOLUME_FEATURES = POINT_FEATURES + 2
SURFACE_OUTPUTS = 4  # Cp, Cf (3)
VOLUME_OUTPUTS = 6  # u/U (3), Cp, log νt, log k
PIECE = 1024  # queries that a processor answers together: what they need fits in a core's cache


@dataclass(frozen=True)
class Domino:
    """Shape of the network.

    Attributes:
        width: Features of a point.
        depth: Blocks.
        heads: Attention heads.
        slices: Learned slices per head.
        expansion: Width of the pointwise networks' hidden layer, in widths.
        members: Networks in the ensemble.
    """

    width: Annotated[int, Ge(16)] = 128
    depth: Annotated[int, Ge(1)] = 6
    heads: Annotated[int, Ge(1)] = 8
    slices: Annotated[int, Ge(1)] = 32
    expansion: Annotated[int, Ge(1)] = 2
    members: Annotated[int, Ge(1)] = 1

    def build(self) -> "DominoEnsemble":
        """The ensemble with fresh weights.

        Raises:
            ValueError: If the heads cannot share the width evenly.
        """
        if self.width % self.heads:
            raise ValueError(
                f"width={self.width} is no multiple of heads={self.heads}: every head takes an "
                "equal share of the width"
            )
        return DominoEnsemble(self)


class DominoEnsemble(nn.Module):
    """Networks of one shape with weights of their own; their mean answers, their spread doubts.

    Args:
        config: The shape.
    """

    def __init__(self, config: Domino) -> None:
        super().__init__()
        self.members = nn.ModuleList(DominoNet(config) for _ in range(config.members))

    def forward(
        self,
        anchors: Float[Tensor, "b m f"],
        weights: Float[Tensor, "b m"],
        surface: Float[Tensor, "b n f"],
        volume: Float[Tensor, "b k g"],
    ) -> tuple[Float[Tensor, "b n 4"], Float[Tensor, "b k 6"]]:
        """Fields of a batch of bodies, shared by the members in turn: how they are trained.

        Args:
            anchors: Features of the cells that each body is encoded from.
            weights: Share of the surface that each of them stands for.
            surface: Features of points on the surface.
            volume: Features of points of the flow.

        Returns:
            Of body i from member i modulo the number of members, what `DominoNet.surface` and
            `DominoNet.volume` say.

        Raises:
            ValueError: If the members cannot share the batch evenly.
        """
        count = len(self.members)
        if len(anchors) % count:
            raise ValueError(
                f"a batch of {len(anchors)} halves cannot be shared by {count} members. "
                f"Set train.batch_size to a multiple of {count}"
            )
        on_surface, in_volume = [], []
        for index, member in enumerate(self.members):
            assert isinstance(member, DominoNet)
            offers = member.encode(anchors[index::count], weights[index::count])
            on_surface.append(member.surface(offers, surface[index::count]))
            in_volume.append(member.volume(offers, volume[index::count]))
        return torch.stack(on_surface, 1).flatten(0, 1), torch.stack(in_volume, 1).flatten(0, 1)


def held_in(model: DominoEnsemble, dtype: torch.dtype) -> DominoEnsemble:
    """A copy of an ensemble with weights of another precision, in which it then computes."""
    weights: dict[int, object] = {id(p): nn.Parameter(p.to(dtype)) for p in model.parameters()}
    return deepcopy(model, weights)


class Block(nn.Module):
    """One layer of physics attention, shared by anchors and queries, and a pointwise network."""

    def __init__(self, config: Domino) -> None:
        super().__init__()
        width, heads, slices = config.width, config.heads, config.slices
        self.heads, self.depth = heads, width // heads
        self.norm = nn.LayerNorm(width)
        self.assign = nn.Linear(width, heads * slices)
        self.value = nn.Linear(width, width)
        self.mix = nn.Linear(self.depth, 3 * self.depth, bias=False)
        self.merge = playing("read", nn.Linear(width, width))
        self.point = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, config.expansion * width),
            nn.GELU(),
            nn.Linear(config.expansion * width, width),
        )

    def membership(self, points: Float[Tensor, "b n w"]) -> Float[Tensor, "b n heads slices"]:
        """To which slices each point belongs; sums to one over the slices."""
        member: Tensor = self.assign(points).unflatten(-1, (self.heads, -1)).softmax(-1)
        return member

    def pool(
        self, anchors: Float[Tensor, "b m w"], weights: Float[Tensor, "b m"]
    ) -> tuple[Tensor, Tensor]:
        """What the slices of the anchors, after attending to one another, offer to a reader.

        Args:
            anchors: Features.
            weights: Share of the surface that each anchor stands for.

        Returns:
            Offers, shape (b, heads x slices, w), and the membership of the anchors.
        """
        normed = self.norm(anchors)
        member = self.membership(normed)
        values = self.value(normed).unflatten(-1, (self.heads, self.depth)).transpose(1, 2)
        share = (member * weights[:, :, None, None]).transpose(1, 2)
        share = share / (share.sum(2, keepdim=True) + 1e-6)
        slices = share.transpose(2, 3).to(values.dtype) @ values
        query, key, value = self.mix(slices).chunk(3, -1)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        slices = slices + mixed
        # Through the merging layer here: there are fewer slices than points, and what is left for
        # the points is one matrix product. Memberships of a head sum to one, so that its offers
        # carry its share of the bias.
        merge = self.merge.weight.view(-1, self.heads, self.depth)
        offers = torch.einsum("bhsd,whd->bhsw", slices, merge.to(slices.dtype))
        offers = offers + self.merge.bias / self.heads
        return offers.flatten(1, 2).to(slices.dtype), member

    def read(self, points: Tensor, offers: Tensor, member: Tensor | None = None) -> Tensor:
        """Points after taking what the slices offer, and after the pointwise network."""
        if member is None:
            member = self.membership(self.norm(points))
        points = points + member.flatten(-2) @ offers.to(member.dtype)
        out: Tensor = points + self.point(points)
        return out


class DominoNet(nn.Module):
    """The network; see the module's text.

    Args:
        config: Its shape.
    """

    def __init__(self, config: Domino) -> None:
        super().__init__()
        width = config.width
        self.embed_surface = embedding(POINT_FEATURES, width)
        self.embed_volume = embedding(VOLUME_FEATURES, width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.surface_head = head(width, SURFACE_OUTPUTS)
        self.volume_head = head(width, VOLUME_OUTPUTS)

    def encode(
        self, anchors: Float[Tensor, "b m f"], weights: Float[Tensor, "b m"]
    ) -> list[Tensor]:
        """What a body offers to queries, block by block: all that they need to know of it."""
        points = self.embedded(self.embed_surface, anchors)
        weights = weights / weights.sum(1, keepdim=True)
        found = []
        for block in self.blocks:
            offers, member = block.pool(points, weights)  # type: ignore[operator]
            points = block.read(points, offers, member)  # type: ignore[operator]
            found.append(offers)
        return found

    def surface(self, offers: list[Tensor], queries: Float[Tensor, "b n f"]) -> Tensor:
        """Cp and Cf at points of the surface, shape (b, n, 4); Cf is tangential."""
        normals = queries[..., 3:6]
        out = self.answers(offers, queries, self.embed_surface, self.surface_head)
        vector = out[..., 1:].float()
        tangent = vector - (vector * normals).sum(-1, keepdim=True) * normals
        return torch.cat([out[..., :1].float(), 0.01 * tangent], -1)

    def volume(self, offers: list[Tensor], queries: Float[Tensor, "b n f"]) -> Tensor:
        """u/U (3), Cp, log10 νt/(U L), log10 k/U² at points of the flow, shape (b, n, 6)."""
        return self.answers(offers, queries, self.embed_volume, self.volume_head).float()

    def answers(
        self, offers: list[Tensor], queries: Tensor, embed: nn.Module, head: nn.Module
    ) -> Tensor:
        """Run queries through the blocks; they take what is offered and change nothing."""
        # A prediction that takes 4096 queries at a time writes 70,000 fresh pages of memory, and
        # its products take half as long again. For gradients all is kept, and a GPU is filled.
        whole = torch.is_grad_enabled() or queries.device.type != "cpu"
        found = []
        for piece in (queries,) if whole else torch.split(queries, PIECE, 1):
            points = self.embedded(embed, piece)
            for block, offered in zip(self.blocks, offers, strict=True):
                points = block.read(points, offered)  # type: ignore[operator]
            found.append(head(points))
        return torch.cat(found, 1)

    def embedded(self, embed: nn.Module, features: Tensor) -> Tensor:
        """Features at the trunk's width, in the precision of the weights.

        Blocks add to them in that precision, whatever autocast rounds their products to.
        """
        dtype = next(self.parameters()).dtype
        out: Tensor = embed(features.to(dtype)).to(dtype)
        return out


def embedding(inputs: int, width: int) -> nn.Sequential:
    """Features of a point to the trunk's width."""
    first = playing("first", nn.Linear(inputs, 2 * width))
    return nn.Sequential(first, nn.GELU(), nn.Linear(2 * width, width))


def head(width: int, outputs: int) -> nn.Sequential:
    """The trunk's width to outputs."""
    last = playing("last", nn.Linear(width, outputs))
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), last)


def point_features(
    scaled: Float[Tensor, "n 3"],
    normals: Float[Tensor, "n 3"],
    local: Float[Tensor, "n f"],
    proportions: Float[Tensor, " 3"],
    log_reynolds: float | Tensor,
) -> Float[Tensor, "n features"]:
    """Everything that is known of a point of a half body.

    Args:
        scaled: Position in lengths of the body, y >= 0.
        normals: Outward unit normals; in the volume, the direction away from the body.
        local: What the point sees of the body.
        proportions: Extents of the half body in lengths.
        log_reynolds: Natural logarithm of the Reynolds number over 1e7.
    """
    ones = torch.ones_like(scaled[:, :1])
    # In extents of the body, so that noses, roofs and tails of different cars fall on one another:
    # with few training cars, that is worth a tenth of the error.
    aligned = scaled / proportions
    harmonics = torch.pi * torch.arange(1, HARMONICS + 1, device=scaled.device)
    waves = (aligned[:, :, None] * harmonics).flatten(1)
    return torch.cat(
        [
            scaled,
            normals,
            aligned,
            ones * log_reynolds,
            ones * proportions[2],
            waves.sin(),
            waves.cos(),
            local,
        ],
        1,
    )


def volume_features(
    features: Float[Tensor, "n features"], distance: Float[Tensor, " n"]
) -> Float[Tensor, "n more"]:
    """Features of points of the flow: those of a point, and its distance on two scales.

    Args:
        features: As `point_features` gives them, with the direction away from the body.
        distance: From the body, in lengths.
    """
    near = distance / (0.02 + distance.abs())
    far = distance / (0.2 + distance.abs())
    return torch.cat([features, near[:, None], far[:, None]], 1)
