"""Shapes of the networks and of the two stages.

`MINI` and `NORMAL` have the layers of NVIDIA's CorrDiff-Mini and CorrDiff (PhysicsNeMo,
`examples/weather/corrdiff/conf/base/model_size`), so that weights of those can be taken over
(`ansatz.weather.model.interchange`). `SMALL` is for one processor.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Lt

if TYPE_CHECKING:
    from ansatz.weather.model.stages import MeanStage, ResidualStage

Kind = Literal["denoiser", "velocity", "generator"]


@dataclass(frozen=True)
class Shape:
    """Shape of a U-Net.

    Attributes:
        width: Features of the finest level.
        levels: Features of each level, in widths; every level halves the grid of the one before.
        blocks: Residual blocks per level on the way down; one more on the way up.
        attention: Levels with attention, 0 the finest. There is always one in the middle.
        dropout: Share of features that training drops in every block.
        embedding: `noise` tells every block the level of the noise; `zero` tells nothing, as
            CorrDiff does.
        position: Maps that tell where a cell is: none; sines and cosines of one period over the
            domain; or learned ones, a value per cell of the domain.
        position_channels: Maps that are learned.
        domain: Fine cells that the position maps cover, south to north and west to east.
    """

    width: Annotated[int, Ge(8)] = 32
    levels: tuple[int, ...] = (1, 2, 2)
    blocks: Annotated[int, Ge(1)] = 2
    attention: tuple[int, ...] = ()
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    embedding: Literal["noise", "zero"] = "noise"
    position: Literal["none", "sinusoidal", "learned"] = "none"
    position_channels: Annotated[int, Ge(1)] = 4
    domain: tuple[int, int] = (64, 64)

    def __post_init__(self) -> None:
        if self.width % 8:
            raise ValueError(f"width={self.width} is no multiple of 8, which its groups need")
        if any(level not in range(len(self.levels)) for level in self.attention):
            raise ValueError(
                f"attention={list(self.attention)} names levels that are not there; there are "
                f"{len(self.levels)}, counted from 0"
            )

    @property
    def multiple(self) -> int:
        """Height and width of a field must be multiples of this."""
        return int(2 ** (len(self.levels) - 1))


SMALL = Shape(width=32, levels=(1, 2, 2), blocks=2, dropout=0.1)
MINI = Shape(
    width=64, levels=(1, 2, 2), blocks=4, attention=(2,), dropout=0.13, position="sinusoidal"
)
NORMAL = Shape(
    width=128,
    levels=(1, 2, 2, 2, 2),
    blocks=4,
    attention=(4,),
    dropout=0.13,
    position="sinusoidal",
    domain=(448, 448),
)


@dataclass(frozen=True)
class Mean:
    """The first stage: one field, the mean of what is possible.

    Attributes:
        shape: Of its network, which is told no noise.
        follows_input: Add an output's coarse namesake, interpolated, to what the network says.
        num_condition: Channels of the condition; 0 takes those of the store.
        num_outputs: Channels of the fine field; 0 takes those of the store.
    """

    shape: Shape = SMALL
    follows_input: bool = True
    num_condition: Annotated[int, Ge(0)] = 0
    num_outputs: Annotated[int, Ge(0)] = 0

    def build(self) -> "MeanStage":
        """The stage with fresh weights.

        Raises:
            ValueError: If nobody said how many channels there are.
        """
        from ansatz.weather.model.stages import MeanStage

        require_channels(self.num_condition, self.num_outputs)
        return MeanStage(self)


@dataclass(frozen=True)
class Residual:
    """The second stage: what the mean leaves, as samples.

    Attributes:
        shape: Of its network.
        kind: What the network gives: a `denoiser` the field under a noise; a `velocity` the
            direction from noise to field; a `generator` the field itself, in one evaluation.
        mean: The first stage, whose weights go into the same checkpoint.
        sigma_data: Standard deviation of the residual, in units of its measured scale.
        num_condition: Channels of the condition; 0 takes those of the store.
        num_outputs: Channels of the fine field; 0 takes those of the store.
    """

    shape: Shape = SMALL
    kind: Kind = "denoiser"
    mean: Mean = field(default_factory=Mean)
    sigma_data: Annotated[float, Gt(0)] = 1.0
    num_condition: Annotated[int, Ge(0)] = 0
    num_outputs: Annotated[int, Ge(0)] = 0

    def build(self) -> "ResidualStage":
        """The stage with fresh weights, on a fresh first stage.

        Raises:
            ValueError: If nobody said how many channels there are.
        """
        from ansatz.weather.model.stages import ResidualStage

        require_channels(self.num_condition, self.num_outputs)
        return ResidualStage(self)


def require_channels(num_condition: int, num_outputs: int) -> None:
    """Refuse to build a network without channels.

    Raises:
        ValueError: If a number is 0.
    """
    if not num_condition or not num_outputs:
        raise ValueError(
            f"the network has num_condition={num_condition} and num_outputs={num_outputs}, which "
            "stand for those of a store. Give both numbers, or begin with a store"
        )
