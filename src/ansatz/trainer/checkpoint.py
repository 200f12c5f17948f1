"""Checkpoints from which a run goes on as if it had never stopped, to the last bit.

    checkpoints/step-00000500/
        model.safetensors       parameters and buffers
        average.safetensors     the moving average of the parameters, if one is kept
        optimizer.safetensors   moments and counters by parameter name
        state.json              step, settings, gradient scale, random states of every rank
        manifest.json           size and SHA-256 of the files above

Nothing here is a pickle: a checkpoint from elsewhere can be wrong, but it cannot run code.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ansatz.core.recipe import TrainConfig
from ansatz.trainer.distributed import World, barrier, gather
from ansatz.trainer.durable import (
    defect,
    durable_folder,
    remove_leftovers,
    replace_file,
)
from ansatz.trainer.state import (
    TrainState,
    optimizer_tensors,
    random_state,
    seed_generators,
    set_optimizer_tensors,
    set_random_state,
)

PREFIX = "step-"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Found:
    """The newest complete checkpoint of a run.

    Attributes:
        path: Its folder; None if there is none.
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
    _require_finite(state, number)
    states = gather(random_state(state.rng), world)
    if not world.is_main:
        return
    with durable_folder(root / f"{PREFIX}{number:08d}") as folder:
        _write(folder / WEIGHTS, state.model.state_dict())
        if state.average:
            _write(folder / "average.safetensors", state.average)
        _write(folder / "optimizer.safetensors", optimizer_tensors(state))
        scale = state.scaler.state_dict() if state.scaler is not None else None
        about = {"step": number, "config": asdict(config), "scaler": scale, "random": states}
        (folder / "state.json").write_text(json.dumps(about))
    remove_leftovers(root)
    for old in _numbered(root)[: -config.keep]:
        shutil.rmtree(old)


def latest(root: Path) -> Found:
    """Find the newest checkpoint whose every byte is as it was written."""
    notes: list[str] = []
    for path in reversed(_numbered(root)):
        fault = defect(path)
        if not fault:
            return Found(path, tuple(notes))
        notes.append(f"checkpoint {path.name} is damaged and was passed over: {fault}")
    return Found(None, tuple(notes))


def restore(
    folder: Path, state: TrainState, config: TrainConfig, world: World
) -> tuple[int, tuple[str, ...]]:
    """Bring a state back to where a checkpoint was written.

    Args:
        folder: A checkpoint that `latest` found.
        state: What to overwrite.
        config: The settings of the run that goes on.
        world: The place of this process.

    Returns:
        The steps that were taken, and what is different from the run that wrote the checkpoint.

    Raises:
        ValueError: If the checkpoint belongs to another network.
    """
    about = json.loads((folder / "state.json").read_text())
    weights = load_file(folder / WEIGHTS)
    _require_same_network(weights, state.model.state_dict(), folder)
    state.model.load_state_dict(weights)
    notes: tuple[str, ...] = _changed_settings(about["config"], config)
    if state.average:
        notes += _restore_average(folder, state)
    set_optimizer_tensors(state, load_file(folder / "optimizer.safetensors"))
    if state.scaler is not None and about["scaler"] is not None:
        state.scaler.load_state_dict(about["scaler"])
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
    if world.is_main:
        work = path.with_name(f".unfinished-{path.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(work, state.averaged_weights())
        replace_file(path, work)
    barrier(world)


def _write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    # Cloned, since safetensors refuses tensors that share memory, as tied weights do.
    save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, path)


def _numbered(root: Path) -> list[Path]:
    """The checkpoints of a run, oldest first; whether they are complete is another question."""
    return sorted(root.glob(f"{PREFIX}*")) if root.is_dir() else []


def _require_finite(state: TrainState, number: int) -> None:
    weights = [p.detach() for p in state.model.parameters() if p.is_floating_point()]
    if not bool(torch.stack([torch.isfinite(w).all() for w in weights]).all()):
        raise ValueError(
            f"after step {number} the weights are not finite, and no checkpoint was written over "
            "the good ones. Lower train.learning_rate, raise train.warmup_steps, or set "
            "train.clip_norm"
        )


def _require_same_network(
    saved: Mapping[str, Tensor], model: Mapping[str, Tensor], folder: Path
) -> None:
    faults = [f"{name} is missing from the checkpoint" for name in model.keys() - saved.keys()]
    faults += [f"{name} is not in the model" for name in saved.keys() - model.keys()]
    faults += [
        f"{name} is {_form(saved[name])} in the checkpoint and {_form(model[name])} in the model"
        for name in model.keys() & saved.keys()
        if _form(saved[name]) != _form(model[name])
    ]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise ValueError(
            f"{folder} belongs to another network: {'; '.join(sorted(faults)[:3])}{more}. Give "
            "the model the settings it was trained with, or train it in another folder"
        )


def _form(tensor: Tensor) -> str:
    return f"{tensor.dtype} {tuple(tensor.shape)}"


def _restore_average(folder: Path, state: TrainState) -> tuple[str, ...]:
    path = folder / "average.safetensors"
    saved = load_file(path) if path.exists() else {}
    weights = dict(state.model.named_parameters())
    with torch.no_grad():
        for name, value in state.average.items():
            value.copy_(saved.get(name, weights[name]))
    if state.average.keys() <= saved.keys():
        return ()
    return ("the checkpoint keeps no average of some weights: it starts from the weights",)


def _changed_settings(before: Mapping[str, object], config: TrainConfig) -> tuple[str, ...]:
    now = asdict(config)
    return tuple(
        f"train.{name} was {value} and is {now.get(name)}"
        for name, value in before.items()
        if now.get(name) != value
    )
