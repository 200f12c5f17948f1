"""Several processes that train one model: who they are, how they meet, what they average.

torchrun tells every process its place by `RANK`, `WORLD_SIZE`, `LOCAL_RANK` and the address of
the meeting point. Under `srun` the place comes from Slurm, and the meeting point is the first
host *of the job step*, not the host where srun was typed (`SLURM_LAUNCH_NODE_IPADDR`), which may
be a login node that no process runs on. The port follows from the job, so that two jobs on a
node do not meet each other.

Gradients are averaged over ranks and micro-steps, so P processes with batch b take the step of
one process with batch P b.
"""

import gc
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

Value = TypeVar("Value")
PORTS = (20000, 20000)  # first port, and how many


@dataclass(frozen=True)
class World:
    """The place of this process among those that train together.

    Attributes:
        rank: Of this process, from 0.
        ranks: Number of processes.
        local_rank: Of this process among those of its host.
        meeting: Where the processes meet, as torch's `init_method`; empty if there is one only.
    """

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0
    meeting: str = ""

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and speaks to the user."""
        return self.rank == 0


ALONE = World()


def world_of(environment: Mapping[str, str]) -> World:
    """Read this process's place from the variables of torchrun or of a Slurm job step.

    A batch script of Slurm is one process, however many tasks the job has: only processes that
    srun started have `SLURM_STEP_NUM_TASKS`.

    Args:
        environment: As `os.environ`.

    Raises:
        LookupError: If a launcher set some of its variables and not the others.
    """
    if "RANK" in environment and "WORLD_SIZE" in environment:
        launcher, names = "torchrun", ("RANK", "WORLD_SIZE", "LOCAL_RANK")
        more: tuple[str, ...] = ("MASTER_ADDR", "MASTER_PORT")
    elif int(environment.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        launcher, names = "srun", ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
        more = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST")
    else:
        return ALONE
    if missing := [name for name in names + more if name not in environment]:
        raise LookupError(
            f"this process looks started by {launcher}, but {', '.join(missing)} is not set: start "
            f"all processes by {launcher}, or unset its variables to train in one process"
        )
    meeting = "env://"
    if launcher == "srun":
        port = PORTS[0] + int(environment["SLURM_JOB_ID"]) % PORTS[1]
        meeting = f"tcp://{first_host(environment['SLURM_STEP_NODELIST'])}:{port}"
    rank, ranks, local = (int(environment[name]) for name in names)
    return World(rank, ranks, local, meeting)


def first_host(nodes: str) -> str:
    """The first host of a Slurm node list: `gpu[07-09,12],big1` begins with `gpu07`."""
    first = re.match(r"(?:[^,\[]|\[[^\]]*\])+", nodes)
    if first is None:
        raise LookupError(f"Slurm's node list is {nodes!r}, which names no host")
    return re.sub(r"\[(\w+)[^\]]*\]", r"\1", first.group())


def device_of(world: World) -> torch.device:
    """The device of this process: a GPU of its own where there are any, else the processor."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    # A launcher may already show each process only its own GPU.
    return torch.device("cuda", world.local_rank % torch.cuda.device_count())


@contextmanager
def process_group() -> Iterator[World]:
    """Join the other processes for the time of a `with` block.

    Yields:
        This process's place; without a launcher, `ALONE`, and nothing is joined.

    Raises:
        LookupError: If a launcher set some of its variables and not the others.
    """
    world = world_of(os.environ)
    if world.ranks == 1:
        yield ALONE
        return
    # DistributedDataParallel imports this module, whose functions have the group of the time of
    # the import as a default: after `init_process_group`, they would keep it for ever. Threads of
    # a group that is alive when Python ends may abort the process (pytorch/pytorch#190489).
    import torch.distributed.nn.functional

    device = device_of(world)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, world.meeting, rank=world.rank, world_size=world.ranks)
    try:
        yield world
    finally:
        dist.destroy_process_group()
        gc.collect()  # the wrappers of models that still hold the group: its threads end with it


def data_parallel(model: nn.Module, world: World, device: torch.device) -> nn.Module:
    """Wrap a model so that its gradients are averaged over ranks; one process needs no wrapper.

    An objective may only *call* what it is given: the wrapper hides the model's other methods.
    """
    if world.ranks == 1:
        return model
    return DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)


def average(values: Tensor, world: World) -> Tensor:
    """The mean of a tensor over ranks; every rank must take part."""
    if world.ranks == 1:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / world.ranks


def gather(mine: Value, world: World) -> list[Value]:
    """The values of all ranks, in their order, on the main one; nothing on the others."""
    if world.ranks == 1:
        return [mine]
    everyone: list[Value | None] | None = [None] * world.ranks if world.is_main else None
    dist.gather_object(mine, everyone)
    return [value for value in everyone or [] if value is not None]


def barrier(world: World) -> None:
    """Wait until every rank is here."""
    if world.ranks > 1:
        dist.barrier()
