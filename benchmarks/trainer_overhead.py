"""What the training loop costs on top of the step itself.

    OMP_NUM_THREADS=1 python benchmarks/trainer_overhead.py

A loop written by hand (zero_grad, forward, mean square, backward, learning rate, fused AdamW) and
`ansatz.trainer.loop.fit` take the same steps of the same small network: three hidden layers of 32,
64 points, on one thread of a processor. Both compute the learning rate of every step and index
their batches the same way. Time is CPU time of the process, since wall time on a shared machine
is that of the neighbors. Short blocks of steps alternate, and the ratio is taken within each pair
of blocks; each pair of times is printed as [min, median]. One line of JSON.
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ansatz.core.recipe import Loss, Position, TrainConfig
from ansatz.trainer.loop import Step, fit
from ansatz.trainer.optimizer import learning_rate

BLOCKS, BLOCK, POINTS = 1001, 20, 64
CONFIG = TrainConfig(steps=BLOCKS * BLOCK, clip_norm=0.0, save_every=0, log_every=BLOCK)
CPU = torch.device("cpu")


def network() -> nn.Module:
    torch.manual_seed(0)
    hidden = [layer for _ in range(2) for layer in (nn.Linear(32, 32), nn.Tanh())]
    return nn.Sequential(nn.Linear(2, 32), nn.Tanh(), *hidden, nn.Linear(32, 1))


def data() -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    points = [torch.rand(POINTS, 2, generator=generator) for _ in range(16)]
    return [{"x": x, "y": torch.sin(3 * x.sum(1, keepdim=True))} for x in points]


def by_hand(batches: list[dict[str, Tensor]]) -> Iterator[None]:
    """Take a step per `next`, with what PyTorch's tutorials write into a loop."""
    model = network()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=CONFIG.learning_rate, weight_decay=0.0, fused=True
    )
    for index in range(CONFIG.steps):
        batch = batches[index % len(batches)]
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(batch["x"]), batch["y"])
        torch.autograd.backward(loss)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(CONFIG, index)
        optimizer.step()
        yield


def by_fit(batches: list[dict[str, Tensor]]) -> Iterator[Step]:
    """Take the same steps by the library's loop."""

    def objective(model: nn.Module, batch: dict[str, Tensor], rng: torch.Generator) -> Loss:
        return Loss(nn.functional.mse_loss(model(batch["x"]), batch["y"]))

    def batch_at(position: Position, model: nn.Module) -> dict[str, Tensor]:
        return batches[position.step % len(batches)]

    return fit(network(), objective, batch_at, CONFIG, device=CPU)


def microseconds_per_step(loop: Iterator[object]) -> float:
    """CPU time of the next block, one reading of the meters included."""
    began = time.process_time()
    for _ in range(BLOCK):
        next(loop)
    return 1e6 * (time.process_time() - began) / BLOCK


def main() -> None:
    """Alternate blocks of both loops and print what they take."""
    torch.set_num_threads(1)
    hand, ours = by_hand(data()), by_fit(data())
    microseconds_per_step(hand), microseconds_per_step(ours)  # set-up and first allocations
    pairs = []
    for number in range(BLOCKS - 1):
        # Each goes first in half of the blocks.
        if number % 2 == 0:
            pair = microseconds_per_step(hand), microseconds_per_step(ours)
        else:
            pair = (microseconds_per_step(ours), microseconds_per_step(hand))[::-1]
        pairs.append(pair)
    by_hand_us, by_fit_us = zip(*pairs, strict=True)
    row = {
        "benchmark": "trainer_overhead",
        "hand_us": [round(min(by_hand_us), 1), round(statistics.median(by_hand_us), 1)],
        "fit_us": [round(min(by_fit_us), 1), round(statistics.median(by_fit_us), 1)],
        "overhead_of_min": round(min(by_fit_us) / min(by_hand_us) - 1, 4),
        "overhead_median": round(statistics.median(f / h for h, f in pairs) - 1, 4),
        "blocks": len(pairs),
        "steps_per_block": BLOCK,
        "load": round(os.getloadavg()[0], 1),
        "machine": f"{os.cpu_count()} x {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main()
