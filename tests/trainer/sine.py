"""A small regression that the tests of the trainer share: y = sin(3 x₀) x₁ from 48 samples."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from ansatz.core.recipe import Batches, Loss, Position

CPU = torch.device("cpu")
NUM_SAMPLES = 48


def network(dropout: float = 0.0, width: int = 16) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Dropout(dropout), nn.Linear(width, 1))


class Deep(nn.Module):
    """Layers in a list, what comes before and after them, and a weight that is not trained."""

    def __init__(self, width: int = 7) -> None:  # odd: two processes get unequal parts
        super().__init__()
        self.first = nn.Linear(2, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(3))
        self.last = nn.Linear(width, 1)
        self.fixed = nn.Parameter(torch.ones(1), requires_grad=False)
        self.register_buffer("scale", torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for layer in self.layers:
            x = x + self.get_buffer("scale") * torch.tanh(layer(x))
        return self.last(x) * self.fixed


def deep(seed: int = 3) -> nn.Module:
    torch.manual_seed(seed)
    return Deep()


def objective(model: nn.Module, batch: dict[str, Tensor], rng: torch.Generator) -> Loss:
    error = (model(batch["x"]) - batch["y"]).square()
    return Loss(error.mean(), {"worst": error.max()})


def noisy_objective(model: nn.Module, batch: dict[str, Tensor], rng: torch.Generator) -> Loss:
    noise = torch.randn(batch["x"].shape, generator=rng, device=batch["x"].device)
    return objective(model, {**batch, "x": batch["x"] + 0.01 * noise}, rng)


def compiled_in_vain(module: nn.Module) -> nn.Module:
    """The module under a compiler that fails when it is first called."""

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]):
        raise RuntimeError("no compiler here")

    return torch.compile(module, backend=backend)


def samples() -> dict[str, Tensor]:
    x = torch.rand(NUM_SAMPLES, 2, generator=torch.Generator().manual_seed(7))
    return {"x": x, "y": (torch.sin(3 * x[:, :1]) * x[:, 1:])}


def batches(batch_size: int) -> Batches:
    every = samples()

    def batch_at(position: Position, model: nn.Module | None = None) -> dict[str, Tensor]:
        chosen = torch.from_numpy(position.indices(NUM_SAMPLES, batch_size))
        return {name: tensor[chosen] for name, tensor in every.items()}

    return batch_at


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
