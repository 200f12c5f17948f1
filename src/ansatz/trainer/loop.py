"""The training loop, as a generator: saving, logging and stopping are ordinary ifs of its caller.

    for step in fit(model, objective, batches, config):
        if step.number % 100 == 0:
            print(step.number, step.loss())

`run` is the caller that `ansatz train` uses: it resumes, logs, saves, and stops when asked to.

There is no thread that fetches batches ahead. Nothing in the loop waits for a GPU, so the host
makes the next batch while the device works on this one; on a processor, a thread would take the
time from the step itself.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ansatz.core.recipe import Batches, Loss, Objective, Position, TrainConfig
from ansatz.trainer import checkpoint
from ansatz.trainer.distributed import ALONE, World, any_rank, device_of
from ansatz.trainer.graph import Batch
from ansatz.trainer.journal import open_journal
from ansatz.trainer.meters import Meters, Reading
from ansatz.trainer.optimizer import learning_rate
from ansatz.trainer.step import TrainStep, make_step
from ansatz.trainer.stop import StopRequest, stop_request

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Training:
    """A run that is ready to go on.

    Attributes:
        step: Takes one optimizer step.
        meters: Collects what the run measures about itself.
        config: How the model is trained.
        world: The place of this process among those that train together.
        folder: Of the run; None keeps nothing.
        first: Steps that were taken before.
        notes: What the user should know about the start.
    """

    step: TrainStep
    meters: Meters
    config: TrainConfig
    world: World
    folder: Path | None
    first: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """An optimizer step that was taken.

    Attributes:
        number: Steps taken so far, this one included.
        losses: Detached, on the device; of this process.
        training: The run.
        reading: The measurements, every `log_every` steps and at the last one; None in between.
    """

    number: int
    losses: Loss
    training: Training
    reading: Reading | None

    @property
    def model(self) -> nn.Module:
        """The network after this step."""
        return self.training.step.state.model

    def loss(self) -> float:
        """The loss of this step on this process; waits for the device."""
        return float(self.losses.total)

    def save(self) -> None:
        """Write a checkpoint; every rank must take part.

        Raises:
            ValueError: If the run has no folder, or its loss or weights are not finite.
            OSError: If the disk refuses.
        """
        training = self.training
        if training.folder is None:
            raise ValueError("a run without a folder has no checkpoints: give fit a folder")
        if self.reading is None:  # a reading has looked at the losses already
            training.meters.check()
        root = training.folder / CHECKPOINTS
        checkpoint.save(root, training.step.state, self.number, training.config, training.world)


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        number: Steps taken in all.
        stopped_by: The signal that asked it to stop, as `SIGTERM`; empty if it is finished.
        weights: Where the weights of a finished run are.
    """

    number: int
    stopped_by: str
    weights: Path | None


def fit(
    model: nn.Module,
    objective: Objective,
    batches: Batches,
    config: TrainConfig,
    *,
    folder: Path | None = None,
    device: torch.device | None = None,
    world: World = ALONE,
) -> Iterator[Step]:
    """Train a model, step by step.

    Args:
        model: The network; it is trained in place.
        objective: What a step minimizes.
        batches: From a position of the run to a batch on the host. It may depend on nothing but
            the position, or a resumed run sees other data.
        config: How.
        folder: Of the run; if it holds checkpoints, training goes on from the newest.
        device: Where; by default a GPU if there is one.
        world: The place of this process, from `process_group`.

    Returns:
        The run: every `next` takes an optimizer step, which is then queued on the device.

    Raises:
        ValueError: If a loss is not finite (noticed at the next reading), a checkpoint belongs
            to another network, or a captured step is given other shapes.
    """
    training = begin(model, objective, config, folder=folder, device=device, world=world)
    return advance(training, batches)


def begin(
    model: nn.Module,
    objective: Objective,
    config: TrainConfig,
    *,
    folder: Path | None = None,
    device: torch.device | None = None,
    world: World = ALONE,
) -> Training:
    """Set up a run, or take up one that has checkpoints; the arguments are those of `fit`."""
    device = device or device_of(world)
    step = make_step(model, objective, config, device, world)
    first = 0
    notes: tuple[str, ...] = (step.arithmetic.note,)
    if folder is not None:
        found = checkpoint.latest(folder / CHECKPOINTS)
        notes += found.notes
        if found.path is not None:
            first, differences = checkpoint.restore(found.path, step.state, config, world)
            notes += (f"resumed from {found.path}", *differences)
    return Training(step, Meters(config, device, world), config, world, folder, first, notes)


def advance(training: Training, batches: Batches) -> Iterator[Step]:
    """Take the steps of a run that are left; see `fit`."""
    config, world, meters, step = training.config, training.world, training.meters, training.step
    device = step.state.rng.device
    micros = range(config.accumulate)
    for index in range(training.first, config.steps):
        began = time.perf_counter()
        fetched = [
            _to_device(
                batches(Position(config.seed, index, micro, len(micros), world.rank, world.ranks)),
                device,
            )
            for micro in micros
        ]
        data_seconds = time.perf_counter() - began
        losses = step(fetched, index)
        number = index + 1
        meters.stepped(number, losses, data_seconds)
        reading = None
        if number % config.log_every == 0 or number == config.steps:
            reading = meters.read(number, learning_rate(config, index), fetched)
        yield Step(number, losses, training, reading)


def _to_device(batch: Batch, device: torch.device) -> Batch:
    if device.type == "cpu":
        return batch
    # From pinned memory the copy is queued like a kernel, and the host goes on.
    return {
        name: tensor.pin_memory().to(device, non_blocking=True) for name, tensor in batch.items()
    }


def run(
    model: nn.Module,
    objective: Objective,
    batches: Batches,
    config: TrainConfig,
    *,
    folder: Path,
    device: torch.device | None = None,
    world: World = ALONE,
) -> Outcome:
    """Train a model to the end, or until a signal asks to stop.

    It resumes from `folder/checkpoints`, logs to `folder/log.jsonl`, saves every `save_every`
    steps, at the end and on SIGTERM or SIGUSR1, and leaves the final weights (the average, where
    one is kept) in `folder/model.safetensors`. The arguments and errors are those of `fit`.

    Returns:
        How it ended. A batch job that was stopped should be queued again.
    """
    training = begin(model, objective, config, folder=folder, device=device, world=world)
    form = ""
    with (
        open_journal(folder, config, training.first, silent=not world.is_main) as journal,
        stop_request() as request,
    ):
        for note in training.notes:
            journal.note(training.first, note)
        for step in advance(training, batches):
            if form != (form := _form(training.step)):
                journal.note(step.number, form)
            if step.reading is not None:
                journal.write(step.reading)
            stopped_by = _agreed(request, step)
            if stopped_by or _is_save_due(step.number, config):
                step.save()
            if stopped_by:
                journal.note(step.number, f"stopped by {stopped_by} and saved")
                return Outcome(step.number, stopped_by, None)
    weights = folder / checkpoint.WEIGHTS
    checkpoint.export_weights(weights, training.step.state, world)
    return Outcome(max(training.first, config.steps), "", weights)


def _form(step: TrainStep) -> str:
    return f"{step.mode} step" + (f" ({step.reason})" if step.reason else "")


def _is_save_due(number: int, config: TrainConfig) -> bool:
    return number == config.steps or (config.save_every > 0 and number % config.save_every == 0)


def _agreed(request: StopRequest, step: Step) -> str:
    """The signal to stop by, empty to go on; all ranks answer alike.

    Signals reach processes at different steps. Several ranks therefore ask one another, and only
    where they wait for each other anyhow: at a reading.
    """
    world = step.training.world
    if world.ranks == 1:
        return request.signal
    if step.reading is None:
        return ""
    device = step.losses.total.device
    wanted = any_rank(bool(request.signal), world, device)
    return (request.signal or "another rank's signal") if wanted else ""
