"""Checkpoints from which a run goes on as if it had never stopped, to the last bit.

    checkpoints/step-00000500.safetensors   everything, in one file that is whole or not there
    checkpoints/step-00000500.sha256        its digest, by which a damaged file is noticed

The tensors are `model.NAME`, `average.NAME` and, for each of AdamW's moments and counters,
`exp_avg.NAME`, `exp_avg_sq.NAME` and `step.NAME`: names outlive the grouping of parameters, which
depends on the weight decay; and they are whole, also where each process trains a part of them. The
file's metadata has the step, the settings, the scale of float16 gradients and the random states of
every rank, as JSON. Nothing here is a pickle: a checkpoint from elsewhere can be wrong, but it
cannot run code.
"""

import json
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ansatz.core.artifacts import atomic, digest, plain
from ansatz.core.recipe import TrainConfig
from ansatz.trainer.distributed import World, average, gather
from ansatz.trainer.sharding import mine, part, whole
from ansatz.trainer.state import TrainState, random_state, seed_generators, set_random_state

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Found:
    """The newest undamaged checkpoint of a run.

    Attributes:
        path: Its file; None if there is none.
        notes: What was wrong with the newer ones.
    """

    path: Path | None
    notes: tuple[str, ...]


def save(root: Path, state: TrainState, number: int, config: TrainConfig, world: World) -> None:
    """Write a checkpoint and remove those that are too many; every rank must take part.

    Args:
        root: The folder of the run's checkpoints.
        state: What to save.
        number: Steps taken so far.
        config: How the model is trained, and how many checkpoints to keep.
        world: The place of this process; only the main one writes.

    Raises:
        ValueError: If a weight is not finite; the checkpoints there are stay as they are.
        OSError: If the disk refuses, as when it is full.
    """
    _require_finite(state, number, world)
    states = gather(random_state(state.rng), world)
    tensors = _on_host(_named_tensors(state).items(), world)
    if not world.is_main:
        return
    for unfinished in root.glob(".step-*"):  # a process was killed while it wrote
        unfinished.unlink()
    about = {
        "step": number,
        "config": asdict(config),
        "scaler": state.scaler.state_dict(),
        "random": states,
    }
    path = root / f"step-{number:08d}.safetensors"
    with atomic(path) as file:
        save_file(tensors, file, {"state": json.dumps(about, default=plain)})
    _seal(path).write_text(digest(path))
    for old in _numbered(root)[: -config.keep]:
        old.unlink()
        _seal(old).unlink(missing_ok=True)


def latest(root: Path) -> Found:
    """Find the newest checkpoint whose every byte is as it was written."""
    notes: list[str] = []
    for path in reversed(_numbered(root)):
        seal = _seal(path)
        if seal.exists() and seal.read_bytes() == digest(path).encode():
            return Found(path, tuple(notes))
        notes.append(
            f"checkpoint {path.name} is damaged and was passed over: its SHA-256 is not in "
            f"{seal.name}"
        )
    return Found(None, tuple(notes))


def restore(
    path: Path, state: TrainState, config: TrainConfig, world: World
) -> tuple[int, tuple[str, ...]]:
    """Bring a fresh state to where a checkpoint was written.

    Args:
        path: A checkpoint that `latest` found.
        state: What to overwrite.
        config: The settings of the run that goes on.
        world: The place of this process.

    Returns:
        The steps that were taken, and what is different from the run that wrote the checkpoint.

    Raises:
        ValueError: If the checkpoint belongs to another network.
    """
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["state"])
    _restore_tensors(path, state)
    state.scaler.load_state_dict(about["scaler"] or state.scaler.state_dict())
    notes = _changed_settings(about["config"], config)
    if len(about["random"]) == world.ranks:
        set_random_state(about["random"][world.rank], state.rng)
    else:
        seed_generators(state.rng, config.seed, world.rank, about["step"])
        notes += (
            f"the checkpoint is of {len(about['random'])} processes and {world.ranks} go on: "
            "random draws are new ones",
        )
    return int(about["step"]), notes


def export_weights(path: Path, state: TrainState, world: World) -> None:
    """Write the weights to be used: the average where one is kept; every rank must take part."""
    tensors = _on_host(state.averaged_weights().items(), world)
    if world.is_main:
        with atomic(path) as file:
            save_file(tensors, file)


def _named_tensors(state: TrainState) -> dict[str, Tensor]:
    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in state.average.items()}
    for name, parameter in state.model.named_parameters():
        for kind, value in state.optimizer.state.get(parameter, {}).items():
            tensors[f"{kind}.{name}"] = value
    return tensors


def _restore_tensors(path: Path, state: TrainState) -> None:
    kinds: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for key, value in load_file(path).items():
        kind, _, name = key.partition(".")
        kinds[kind][name] = value
    weights, averages = kinds.pop("model"), kinds.pop("average", {})
    fresh = state.model.state_dict()
    try:
        state.model.load_state_dict(
            {name: _fitting(value, fresh.get(name, value)) for name, value in weights.items()}
        )
    except RuntimeError as error:
        raise ValueError(
            f"{path} belongs to another network: {textwrap.shorten(str(error), 300)} Give the "
            "model the settings it was trained with, or train it in another folder"
        ) from error
    for name, value in state.average.items():
        value.copy_(part(averages.get(name, weights[name]), value))
    for name, parameter in state.model.named_parameters():
        for kind, named in kinds.items():
            if name in named:
                value = _fitting(named[name], parameter)
                state.optimizer.state[parameter][kind] = value.to(parameter.device)


def _fitting(value: Tensor, fresh: Tensor) -> Tensor:
    """A tensor in the parts of another one; itself if its shape is not that one's."""
    return part(value, fresh) if value.shape == fresh.shape else value


def _on_host(tensors: Iterable[tuple[str, Tensor]], world: World) -> dict[str, Tensor]:
    """Whole copies on the main process, made one by one; nothing on the others."""
    copies = {}
    for name, tensor in tensors:
        complete = whole(tensor.detach())
        if world.is_main:
            # Cloned, since safetensors refuses tensors that share memory, as tied weights do.
            copies[name] = complete.cpu().contiguous().clone()
    return copies


def _numbered(root: Path) -> list[Path]:
    """The checkpoints of a run, oldest first; whether they are damaged is another question."""
    return sorted(root.glob("step-*.safetensors"))


def _seal(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _require_finite(state: TrainState, number: int, world: World) -> None:
    checks = [torch.isfinite(mine(parameter)).all() for parameter in state.model.parameters()]
    if average(torch.stack(checks).all().float(), world) < 1:
        raise ValueError(
            f"after step {number} the weights are not finite, and no checkpoint was written over "
            "the good ones. Lower train.learning_rate, raise train.warmup_steps, or set "
            "train.clip_norm"
        )


def _changed_settings(before: Mapping[str, object], config: TrainConfig) -> tuple[str, ...]:
    now = asdict(config)
    return tuple(
        f"train.{name} was {value} and is {now.get(name)}"
        for name, value in before.items()
        if now.get(name) != value
    )
