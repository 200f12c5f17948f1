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
from functools import partial
from pathlib import Path

import torch
from torch import nn

from ansatz.core.recipe import Batches, Loss, Objective, Position, TrainConfig
from ansatz.trainer import checkpoint
from ansatz.trainer.distributed import ALONE, World, average, barrier, device_of
from ansatz.trainer.graph import Batch
from ansatz.trainer.journal import open_journal
from ansatz.trainer.meters import Estimator, Meters, Reading
from ansatz.trainer.optimizer import learning_rate
from ansatz.trainer.peaks import peak
from ansatz.trainer.sharding import is_sharded
from ansatz.trainer.step import TrainStep
from ansatz.trainer.stop import stop_request

CHECKPOINTS = "checkpoints"


class Training:
    """A run that is ready to go on.

    Attributes:
        step: Takes one optimizer step.
        first: Steps that were taken before.
        notes: What the user should know about the start.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        config: TrainConfig,
        folder: Path | None,
        device: torch.device | None,
        world: World,
    ) -> None:
        """Set up a run, or take up one that has checkpoints; the arguments are those of `fit`."""
        self.step = TrainStep(model, objective, config, device or device_of(world), world)
        self.first = 0
        self.notes: tuple[str, ...] = (self.step.arithmetic.note,)
        if config.sharded and not is_sharded(config, world):
            self.notes += (
                "one process trains, and keeps weights whole: train.sharded is for more",
            )
        self._config, self._world, self._folder = config, world, folder
        work = partial(objective.work, model) if isinstance(objective, Estimator) else None
        self._meters = Meters(config, world, work, peak(self.step.arithmetic))
        self._copies: dict[int, tuple[Batch, Batch]] = {}  # on the host and on the device
        found = checkpoint.latest(folder / CHECKPOINTS) if folder is not None else None
        if found is not None and found.path is not None:
            self.first, changes = checkpoint.restore(found.path, self.step.state, config, world)
            self.notes += (*found.notes, f"resumed from {found.path}", *changes)
        elif found is not None:
            self.notes += found.notes

    def steps(self, batches: Batches) -> Iterator["Step"]:
        """Take the steps that are left; see `fit`."""
        config = self._config
        if 0 < self.first < config.steps:
            self.step.remember(self._fetch(batches, self.first - 1))
        for index in range(self.first, config.steps):
            began = time.perf_counter()
            fetched = self._fetch(batches, index)
            data_seconds = time.perf_counter() - began
            losses = self.step(fetched, index)
            number = index + 1
            hosted = [self._copies[micro][0] for micro in range(config.accumulate)]
            self._meters.stepped(number, losses, data_seconds, hosted)
            reading = None
            if number % config.log_every == 0 or number == config.steps:
                reading = self._meters.read(number, learning_rate(config, index))
            yield Step(number, losses, self, reading)

    def _fetch(self, batches: Batches, index: int) -> list[Batch]:
        """The batches of a step on the device; those that the step before had are not copied."""
        world, seed, micros = self._world, self._config.seed, self._config.accumulate
        # The batch of the step before a resumed run is that of the run before.
        since = self.first if index >= self.first else 0
        for micro in range(micros):
            place = Position(seed, index, micro, micros, world.rank, world.ranks, since)
            batch = batches(place, self.step.state.model)
            if micro not in self._copies or self._copies[micro][0] is not batch:
                self._copies[micro] = batch, _to_device(batch, self.step.state.rng.device)
        return [self._copies[micro][1] for micro in range(micros)]

    def save(self, step: "Step") -> None:
        """Write a checkpoint; see `Step.save`."""
        if self._folder is None:
            raise ValueError("a run without a folder has no checkpoints: give fit a folder")
        if step.reading is None:  # a reading has looked at the losses already
            self._meters.check()
        root = self._folder / CHECKPOINTS
        checkpoint.save(root, self.step.state, step.number, self._config, self._world)


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
        """The network after this step; its weights are in parts where it is trained so."""
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
        self.training.save(self)


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
        batches: From a position of the run, and the model there, to a batch on the host. It may
            depend on nothing else, or a resumed run sees other data.
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
    return Training(model, objective, config, folder, device, world).steps(batches)


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
    training = Training(model, objective, config, folder, device, world)
    form = ""
    with (
        open_journal(folder, config, training.first, silent=not world.is_main) as journal,
        stop_request() as request,
    ):
        for note in training.notes:
            journal.note(training.first, note)
        for step in training.steps(batches):
            if form != (form := _form(training.step)):
                journal.note(step.number, form)
            if step.reading is not None:
                journal.write(step.reading)
            stopped_by = _agreed(request.signal, step, world)
            if stopped_by or _is_save_due(step.number, config):
                step.save()
            if stopped_by:
                journal.note(step.number, f"stopped by {stopped_by} and saved")
                return Outcome(step.number, stopped_by, None)
    weights = folder / checkpoint.WEIGHTS
    checkpoint.export_weights(weights, training.step.state, world)
    barrier(world)
    return Outcome(max(training.first, config.steps), "", weights)


def _to_device(batch: Batch, device: torch.device) -> Batch:
    if device.type == "cpu":
        return batch
    # From pinned memory the copy is queued like a kernel, and the host goes on.
    return {
        name: tensor.pin_memory().to(device, non_blocking=True) for name, tensor in batch.items()
    }


def _form(step: TrainStep) -> str:
    return f"{step.mode} step" + (f" ({step.reason})" if step.reason else "")


def _is_save_due(number: int, config: TrainConfig) -> bool:
    return number == config.steps or (config.save_every > 0 and number % config.save_every == 0)


def _agreed(signal: str, step: Step, world: World) -> str:
    """The signal to stop by, empty to go on; all ranks answer alike.

    Signals reach processes at different steps. Several ranks therefore ask one another, and only
    where they wait for each other anyhow: at a reading.
    """
    if world.ranks == 1:
        return signal
    if step.reading is None:
        return ""
    wanted = average(torch.tensor(float(bool(signal)), device=step.losses.total.device), world)
    return (signal or "another rank's signal") if wanted else ""
