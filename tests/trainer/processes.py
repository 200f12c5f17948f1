"""Processes of their own: real ones with real signals, forked from one that has imported torch.

A new Python takes seconds to import torch. The fork server imports it once, and its children start
in milliseconds, each with a memory, signals and an end of its own.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import torch

from ansatz.cli import main
from ansatz.core.recipe import Position

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(["torch._dynamo", "ansatz.verbs"])


def started(target: Callable[..., None], *words: object, **variables: str):
    """A process that calls a function of a module, with one thread and more variables."""
    process = FORKS.Process(target=_within, args=(variables, target, words))
    process.start()
    return process


def together(number: int, target: Callable[..., None], *words: object, **variables: str):
    """The exit codes of processes that find one another by the variables of torchrun."""
    meeting = {"WORLD_SIZE": str(number), "MASTER_ADDR": "localhost"}
    meeting["MASTER_PORT"] = str(free_port())
    ranks = [{"RANK": rank, "LOCAL_RANK": rank} for rank in map(str, range(number))]
    processes = [started(target, *words, **variables, **meeting, **rank) for rank in ranks]
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def die_together(folder: Path, position: Position) -> None:
    """Kill this process, and each other one when it is here as well: none waits for a dead one."""
    (folder / f"{position.rank}.dies").touch()
    while len(list(folder.glob("*.dies"))) < position.ranks:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


def command(words: list[str]) -> None:
    """A target: `ansatz` with these words."""
    sys.exit(main(words))


def _within(
    variables: dict[str, str], target: Callable[..., None], words: tuple[object, ...]
) -> None:
    os.environ.update(variables)
    torch.set_num_threads(1)
    target(*words)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])
