"""A process that trains, and may kill itself: run by the tests of resuming and of several ranks.

python worker.py resume FOLDER SACRIFICE     rank SACRIFICE dies in step 13, once per folder
python worker.py plain FOLDER                no dropout, no noise: comparable with one process
"""

import os
import signal
import sys
from pathlib import Path

import sine
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ansatz.core.recipe import Batches, Position, TrainConfig
from ansatz.trainer.distributed import process_group
from ansatz.trainer.loop import fit, run

RESUMED = TrainConfig(
    steps=20, warmup_steps=4, ema_decay=0.9, accumulate=2, weight_decay=0.01, save_every=5,
    log_every=3, seed=11,
)  # fmt: skip
PLAIN = TrainConfig(steps=10, warmup_steps=2, accumulate=2, seed=5, log_every=1, save_every=0)
FATAL_STEP = 13


def mortal(batches: Batches, marker: Path, sacrifice: int) -> Batches:
    """Batches of which one is deadly: SIGKILL, in the second micro-step of a step."""

    def batch_at(position: Position, model: nn.Module) -> dict[str, Tensor]:
        place = (position.step, position.micro, position.rank)
        if place == (FATAL_STEP, 1, sacrifice) and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return batches(position, model)

    return batch_at


def train(what: str, folder: Path, sacrifice: int = -1) -> None:
    torch.set_num_threads(1)
    with process_group() as world:
        if what == "plain":
            model = sine.network()
            steps = fit(model, sine.objective, sine.batches(4), PLAIN, device=sine.CPU, world=world)
            losses = [step.reading["loss"] for step in steps]
            if world.is_main:
                save_file({**model.state_dict(), "losses": torch.tensor(losses)}, folder / "plain")
            return
        for name, victim in (("straight", -1), ("killed", sacrifice)):
            torch.manual_seed(0)
            data = mortal(sine.batches(4), folder / f"{name}.died", victim)
            run(
                sine.network(dropout=0.2), sine.noisy_objective, data, RESUMED,
                folder=folder / name, device=sine.CPU, world=world,
            )  # fmt: skip


def leftover_threads() -> list[str]:
    """The threads of a process group; they may abort the process if they see the end of Python."""
    names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    return [name for name in names if "gloo" in name]


if __name__ == "__main__":
    train(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
    assert not leftover_threads()
