"""Processes that pretrain: `protein/small`, a few steps of a few features."""

import hashlib
from dataclasses import replace
from pathlib import Path

import torch
from processes import die_together
from torch import Tensor, nn

from ansatz.core.recipe import Position, Recipe, TrainConfig
from ansatz.protein.model.config import Esm
from ansatz.protein.recipes import small
from ansatz.trainer.distributed import process_group
from ansatz.trainer.loop import run

CPU = torch.device("cpu")


def shrunken(**changes: object) -> Recipe:
    """The recipe with its optimizer, precision and average, but smaller and shorter."""
    recipe = small()
    train = replace(
        recipe.train, steps=12, warmup_steps=2, batch_size=3, save_every=4, log_every=1, **changes
    )
    return replace(recipe, model=Esm(layers=2, width=16, heads=2, checkpointing=True), train=train)


def train(store: Path, folder: Path, config: TrainConfig, fatal_step: int = -1) -> None:
    """Train and write down what was seen; with a fatal step, be killed in it."""
    recipe = shrunken()
    data = recipe.data.batches(store, "train", config.batch_size)
    seen = folder / "seen"
    seen.mkdir(parents=True, exist_ok=True)

    def batch_at(position: Position, model: nn.Module) -> dict[str, Tensor]:
        if position.step == fatal_step:
            die_together(folder, position)
        batch = data(position, model)
        found = hashlib.sha256(b"".join(t.numpy().tobytes() for t in batch.values()))
        number = position.micro * position.ranks + position.rank
        (seen / f"{position.step:03d}-{number}").write_text(found.hexdigest())
        return batch

    with process_group() as world:
        torch.manual_seed(config.seed)
        run(
            recipe.model.build(), recipe.objective, batch_at, config,
            folder=folder, device=CPU, world=world,
        )  # fmt: skip
