"""Networks of coordinates, made of operations that jets go through (`ansatz.pde.jets`).

    MLP          the plain one; enough for laminar flow in two dimensions with 64 x 4
    Fourier      an MLP of random Fourier features (Tancik et al., arXiv:2006.10739, §4)
    ModifiedMLP  two encoders gate every layer (Wang, Teng and Perdikaris, arXiv:2001.04536, §2.6)
    PirateNet    residual blocks that begin as the identity (Wang et al., arXiv:2402.00326, §4)

Inputs are coordinates and then parameters, each mapped to [-1, 1] from its range. With
`factorized`, weights are W = diag(exp s) V, the random weight factorization of Wang et al.
(arXiv:2210.01274): a learning rate of its own for every neuron.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn

from ansatz.pde.activations import ACTIVATIONS
from ansatz.pde.jets import Jet, activate, add, join, linear, multiply

ActivationName = Literal["tanh", "sine", "silu", "gelu"]
FACTORS = (1.0, 0.1)  # mean and deviation of s (arXiv:2210.01274, §3)


@dataclass(frozen=True)
class Box:
    """Where the inputs of a network lie, and how many outputs it has.

    Attributes:
        low, high: Ends of the range of each input.
        outputs: Number of fields.
        periodic: Inputs whose range is a period of all fields.
        waves: Inputs along which fields change in waves, and their lengths.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    outputs: int
    periodic: tuple[int, ...] = ()
    waves: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        if len(self.low) != len(self.high) or not all(
            a < b for a, b in zip(self.low, self.high, strict=True)
        ):
            raise ValueError(f"ranges of inputs must not be empty, got {self.low} to {self.high}")


@dataclass(frozen=True)
class Network:
    """The shape of a network of coordinates.

    Attributes:
        kind: Architecture.
        width: Neurons per layer.
        depth: Hidden layers; blocks of three layers each for a PirateNet.
        activation: Of hidden layers.
        frequencies: Deviation of the random frequencies, in half waves per range; for `fourier`
            and `pirate`, 0 leaves them out of the latter.
        factorized: Whether weights are factorized.
    """

    kind: Literal["mlp", "fourier", "modified", "pirate"] = "mlp"
    width: Annotated[int, Ge(2)] = 64
    depth: Annotated[int, Ge(1)] = 4
    activation: ActivationName = "tanh"
    frequencies: Annotated[float, Ge(0)] = 1.0
    factorized: bool = False

    def build(self, box: Box) -> nn.Module:
        """The network with fresh weights, Xavier's; biases are zero.

        Args:
            box: Its inputs and outputs.
        """
        return {"mlp": MLP, "fourier": MLP, "modified": ModifiedMLP, "pirate": PirateNet}[
            self.kind
        ](self, box)


class Layer(nn.Module):
    """An affine layer, whose weights may be factorized."""

    def __init__(self, inputs: int, outputs: int, factorized: bool = False) -> None:
        super().__init__()
        weight = torch.empty(outputs, inputs)
        nn.init.xavier_normal_(weight)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale: nn.Parameter | None = None
        if factorized:
            s = FACTORS[0] + FACTORS[1] * torch.randn(outputs)
            self.scale = nn.Parameter(s)
            weight = weight / s.exp()[:, None]
        self.weight = nn.Parameter(weight)

    def forward(self, x: Jet | Tensor) -> Jet | Tensor:
        """Apply the layer."""
        weight = self.weight if self.scale is None else self.scale.exp()[:, None] * self.weight
        return linear(x, weight, self.bias)


class Inputs(nn.Module):
    """Inputs mapped to [-1, 1]; then, with frequencies, cosines and sines of random waves.

    In place of a periodic input come its cosine and sine: the network cannot but repeat. Those of
    known waves come beside their input. What follows from the ranges is held in float64, where a
    period is exact.
    """

    weight: Tensor
    bias: Tensor
    circle: Tensor | None
    rest: Tensor
    waves: Tensor | None

    def __init__(self, config: Network, box: Box, frequencies: float) -> None:
        super().__init__()
        low, high = (torch.tensor(ends, dtype=torch.float64) for ends in (box.low, box.high))
        self.register_buffer("weight", torch.diag(2 / (high - low)), persistent=False)
        self.register_buffer("bias", -(high + low) / (high - low), persistent=False)
        identity = torch.eye(len(low), dtype=torch.float64)
        others = [i for i in range(len(low)) if i not in box.periodic]
        phases = [math.pi * identity[i] for i in box.periodic]
        phases += [math.pi * (high[i] - low[i]) / length * identity[i] for i, length in box.waves]
        circle = torch.stack(phases) if phases else None
        self.register_buffer("circle", circle, persistent=False)
        self.register_buffer("rest", identity[others], persistent=False)
        inputs = len(others) + 2 * len(phases)
        count = config.width // 2 if frequencies else 0
        waves = math.pi / 2 * frequencies * torch.randn(count, inputs) if count else None
        self.register_buffer("waves", waves)
        self.width = 2 * count or inputs

    def forward(self, x: Jet | Tensor) -> Jet | Tensor:
        """Map points."""
        like = x.rows if isinstance(x, Jet) else x
        x = linear(x, self.weight.to(like), self.bias.to(like))
        if self.circle is not None:
            x = join(waves_of(x, self.circle.to(like)), linear(x, self.rest.to(like)))
        return x if self.waves is None else waves_of(x, self.waves.to(like))


def waves_of(x: Jet | Tensor, frequencies: Tensor) -> Jet | Tensor:
    """The cosines, and then the sines, of waves: phases are the products with frequencies."""
    quarter = torch.full_like(frequencies[:, 0], math.pi / 2)
    phases = linear(x, frequencies)
    cosine, sine = (activate(z, ACTIVATIONS["sine"]) for z in (add(phases, quarter), phases))
    return join(cosine, sine)


def _layers(widths: Sequence[int], factorized: bool) -> nn.ModuleList:
    return nn.ModuleList(Layer(a, b, factorized) for a, b in pairwise(widths))


class MLP(nn.Module):
    """A plain network, of the coordinates or of their Fourier features."""

    def __init__(self, config: Network, box: Box) -> None:
        super().__init__()
        self.inputs = Inputs(config, box, config.frequencies if config.kind == "fourier" else 0.0)
        self.activation = ACTIVATIONS[config.activation]
        hidden = [config.width] * config.depth
        self.layers = _layers([self.inputs.width, *hidden], config.factorized)
        self.last = Layer(config.width, box.outputs, config.factorized)

    def forward(self, points: Jet | Tensor) -> Jet | Tensor:
        """Fields at points, shape (points, outputs)."""
        x = self.inputs(points)
        for layer in self.layers:
            x = activate(layer(x), self.activation)
        found: Jet | Tensor = self.last(x)
        return found


class Gates(nn.Module):
    """Two encoders U and V of the inputs, and the mixture g U + (1 - g) V."""

    def __init__(self, inputs: int, config: Network) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]
        self.one = Layer(inputs, config.width, config.factorized)
        self.other = Layer(inputs, config.width, config.factorized)

    def forward(self, x: Jet | Tensor) -> tuple[Jet | Tensor, Jet | Tensor]:
        """V, and U - V."""
        u, v = activate(self.one(x), self.activation), activate(self.other(x), self.activation)
        return v, add(u, multiply(v, torch.tensor(-1.0)))


def gated(g: Jet | Tensor, gates: tuple[Jet | Tensor, Jet | Tensor]) -> Jet | Tensor:
    """The mixture g U + (1 - g) V, from V and U - V."""
    return add(gates[0], multiply(g, gates[1]))


class ModifiedMLP(nn.Module):
    """A network whose hidden layers are gated by two encoders of the inputs."""

    def __init__(self, config: Network, box: Box) -> None:
        super().__init__()
        self.inputs = Inputs(config, box, 0.0)
        self.activation = ACTIVATIONS[config.activation]
        self.gates = Gates(self.inputs.width, config)
        hidden = [config.width] * config.depth
        self.layers = _layers([self.inputs.width, *hidden], config.factorized)
        self.last = Layer(config.width, box.outputs, config.factorized)

    def forward(self, points: Jet | Tensor) -> Jet | Tensor:
        """Fields at points, shape (points, outputs)."""
        x = self.inputs(points)
        gates = self.gates(x)
        for layer in self.layers:
            x = gated(activate(layer(x), self.activation), gates)
        found: Jet | Tensor = self.last(x)
        return found


class PirateBlock(nn.Module):
    """Three layers, two of them gated, and an adaptive residual connection that begins at 0."""

    def __init__(self, config: Network) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]
        self.layers = _layers([config.width] * 4, config.factorized)
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, x: Jet | Tensor, gates: tuple[Jet | Tensor, Jet | Tensor]) -> Jet | Tensor:
        """α h + (1 - α) x."""
        h = gated(activate(self.layers[0](x), self.activation), gates)
        h = gated(activate(self.layers[1](h), self.activation), gates)
        h = activate(self.layers[2](h), self.activation)
        return add(multiply(h, self.share), multiply(x, 1 - self.share))


class PirateNet(nn.Module):
    """Residual blocks that begin as the identity: a linear model of Fourier features at first."""

    def __init__(self, config: Network, box: Box) -> None:
        super().__init__()
        self.inputs = Inputs(config, box, config.frequencies)
        self.gates = Gates(self.inputs.width, config)
        self.first = Layer(self.inputs.width, config.width, config.factorized)
        self.blocks = nn.ModuleList(PirateBlock(config) for _ in range(config.depth))
        self.last = Layer(config.width, box.outputs, config.factorized)

    def forward(self, points: Jet | Tensor) -> Jet | Tensor:
        """Fields at points, shape (points, outputs)."""
        x = self.inputs(points)
        gates = self.gates(x)
        x = self.first(x)
        for block in self.blocks:
            x = block(x, gates)
        found: Jet | Tensor = self.last(x)
        return found
