"""Processes that train in parts: run by the tests of sharding."""

from dataclasses import replace
from pathlib import Path

import sine
import torch
import worker
from processes import die_together
from safetensors.torch import save_file
from torch import Tensor, nn

from ansatz.core.recipe import Position, TrainConfig
from ansatz.trainer.distributed import World, process_group
from ansatz.trainer.loop import fit, run
from ansatz.trainer.sharding import is_part, mine, whole

CONFIG = replace(worker.PLAIN, clip_norm=0.3, ema_decay=0.9, weight_decay=0.1, sharded=True)
LONG = replace(CONFIG, steps=20, save_every=5, log_every=3)


def train(folder: Path, config: TrainConfig) -> None:
    """Leaves losses, norms, weights and their average in `folder/all`, and no thread."""
    with process_group() as world:
        tensors = ends(config, world)
        if world.is_main:
            save_file(tensors, folder / "all")
    assert not worker.leftover_threads()


def ends(config: TrainConfig, world: World) -> dict[str, Tensor]:
    # The main process's weights hold: the others draw their own.
    data = sine.batches(4)
    model = sine.deep(3 + world.rank)
    steps = list(fit(model, sine.objective, data, config, device=sine.CPU, world=world))
    state = steps[-1].training.step.state
    moments = [t for of in state.optimizer.state.values() for t in of.values() if t.ndim]
    held = [*state.model.parameters(), *state.average.values(), *moments]
    halves = all(is_part(t) and mine(t).shape[0] <= -(-t.shape[0] // 2) for t in held)
    assert halves == config.sharded
    seen = {k: torch.tensor([s.reading[k] for s in steps]) for k in ("loss", "grad_norm")}
    weights = {f"model.{name}": whole(t) for name, t in state.model.state_dict().items()}
    return seen | weights | {f"average.{name}": whole(t) for name, t in state.average.items()}


def go_on(folder: Path, config: TrainConfig, fatal_step: int = -1) -> None:
    """A run with checkpoints; at a fatal step, all processes are killed at once."""
    plain = sine.batches(4)

    def batch_at(position: Position, model: nn.Module) -> dict[str, Tensor]:
        if position.step == fatal_step and position.micro == position.micros - 1:
            die_together(folder, position)
        return plain(position, model)

    with process_group() as world:
        run(
            sine.deep(), sine.objective, batch_at, config,
            folder=folder, device=sine.CPU, world=world,
        )  # fmt: skip


def refused(folder: Path, config: TrainConfig) -> None:
    """Leaves the message in `folder/error`."""
    with process_group() as world:
        try:
            fit(sine.deep(), sine.objective, sine.batches(4), config, device=sine.CPU, world=world)
        except ValueError as error:
            if world.is_main:
                (folder / "error").write_text(str(error))
