"""Where a run tells what it does: `log.jsonl`, TensorBoard, and the user's terminal.

The log has a line of JSON per reading and per remark. A run that resumes at step n first removes
what its predecessor logged after n, so the log is always one curve. On a terminal there is a
progress bar; elsewhere, as in a batch job, plain lines on stderr.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ansatz.core.artifacts import atomic
from ansatz.core.recipe import TrainConfig
from ansatz.trainer.meters import Reading

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG = "log.jsonl"
RATE_SECONDS = 3600.0  # of readings from which the remaining time is estimated


@dataclass(frozen=True)
class Journal:
    """The open logs of a run.

    Attributes:
        steps: Of the whole run.
        log: The file of JSON lines.
        bar: The progress bar; its console takes plain lines as well.
        board: TensorBoard's writer, if asked for.
    """

    steps: int
    log: TextIO
    bar: Progress
    board: "SummaryWriter | None"

    def note(self, step: int, text: str) -> None:
        """Say something once: a fallback, a damaged checkpoint, a changed setting."""
        self._append({"step": step, "note": text})
        self.bar.console.out(text, highlight=False)

    def write(self, reading: Reading) -> None:
        """Write down a reading."""
        self._append(reading)
        step = int(reading["step"])
        if self.board is not None:
            for name, value in reading.items():
                self.board.add_scalar(name, value, step)
        status = f"loss {reading['loss']:.4g}  {reading['items_per_second']:.3g} items/s"
        self.bar.update(self.bar.task_ids[0], completed=step, status=status)
        if self.bar.disable:
            self.bar.console.out(f"step {step}/{self.steps}  {status}", highlight=False)

    def _append(self, row: Mapping[str, float | str]) -> None:
        self.log.write(json.dumps(row) + "\n")
        self.log.flush()


@contextmanager
def open_journal(
    folder: Path, config: TrainConfig, first: int, *, silent: bool = False
) -> Iterator[Journal]:
    """Open the logs of a run.

    Args:
        folder: Of the run.
        config: How many steps it has, and whether TensorBoard is asked for.
        first: Steps that were taken before.
        silent: Write nothing anywhere, as all processes but the main one do.

    Raises:
        ValueError: If TensorBoard is asked for and not installed.
    """
    board = _open_board(folder, first) if config.tensorboard and not silent else None
    path = Path(os.devnull) if silent else folder / LOG
    if not silent:
        _forget_after(path, first)
    with (
        path.open("a") as log,
        _progress(config.steps, first, silent) as bar,
        board or nullcontext(),
    ):
        yield Journal(config.steps, log, bar, board)


def read_log(path: Path) -> list[dict[str, float | int | str]]:
    """The rows of a log, without a last line that a killed process left unfinished."""
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _forget_after(path: Path, step: int) -> None:
    rows = read_log(path) if path.exists() else []
    with atomic(path) as part:
        part.write_text("".join(json.dumps(row) + "\n" for row in rows if int(row["step"]) <= step))


def _open_board(folder: Path, first: int) -> "SummaryWriter":
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ValueError(
            "train.tensorboard=True needs the package tensorboard, which is not installed: "
            "pip install 'ansatz-ai[tensorboard]', or leave it out; log.jsonl is always written"
        ) from error
    return SummaryWriter(str(folder / "tensorboard"), purge_step=first + 1)


def _progress(steps: int, first: int, silent: bool) -> Progress:
    console = Console(stderr=True, quiet=silent)
    bar = Progress(
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
        console=console,
        disable=not console.is_interactive,
        speed_estimate_period=RATE_SECONDS,
    )
    bar.add_task("", total=steps, completed=first, status="")
    return bar
