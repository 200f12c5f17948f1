"""Where a run tells what it does: `log.jsonl`, TensorBoard, and the user's terminal.

The log has a line of JSON per reading and per remark. A run that resumes at step n first removes
what its predecessor logged after n, so the log is always one curve. On a terminal there is a
progress bar; elsewhere, as in a batch job, plain lines on stderr.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ansatz.core.recipe import TrainConfig
from ansatz.trainer.durable import replace_file
from ansatz.trainer.meters import Reading

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG = "log.jsonl"


@dataclass
class Journal:
    """The open logs of a run; one without any is silent.

    Attributes:
        steps: Of the whole run.
        log: The file of JSON lines.
        board: TensorBoard's writer, if asked for.
        bar: The progress bar, on a terminal.
        plain: Where plain lines go when there is no bar.
    """

    steps: int
    log: TextIO | None = None
    board: "SummaryWriter | None" = None
    bar: Progress | None = None
    plain: TextIO | None = None

    def note(self, step: int, text: str) -> None:
        """Say something once: a fallback, a damaged checkpoint, a changed setting."""
        self._append({"step": step, "note": text})
        if self.bar is not None:
            self.bar.console.print(text, markup=False, highlight=False)
        elif self.plain is not None:
            print(text, file=self.plain, flush=True)

    def write(self, reading: Reading) -> None:
        """Write down a reading."""
        self._append(reading.record())
        if self.board is not None:
            for name, value in reading.record().items():
                self.board.add_scalar(name, value, reading.step)
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=reading.step, status=_status(reading))
        elif self.plain is not None:
            line = f"step {reading.step}/{self.steps}  {_status(reading)}"
            print(line, file=self.plain, flush=True)

    def _append(self, row: Mapping[str, float | int | str]) -> None:
        if self.log is not None:
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
    journal = Journal(config.steps)
    with ExitStack() as stack:
        if not silent:
            folder.mkdir(parents=True, exist_ok=True)
            if config.tensorboard:
                journal.board = _open_board(folder, first)
                stack.callback(journal.board.close)
            _forget_after(folder / LOG, first)
            journal.log = stack.enter_context((folder / LOG).open("a"))
            if sys.stderr.isatty():
                journal.bar = stack.enter_context(_progress(config.steps, first))
            else:
                journal.plain = sys.stderr
        yield journal


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
    if not path.exists():
        return
    kept = [row for row in read_log(path) if int(row["step"]) <= step]
    work = path.with_name(f".unfinished-{path.name}")
    work.write_text("".join(json.dumps(row) + "\n" for row in kept))
    replace_file(path, work)


def _open_board(folder: Path, first: int) -> "SummaryWriter":
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ValueError(
            "train.tensorboard=True needs the package tensorboard, which is not installed: "
            "pip install 'ansatz-ai[tensorboard]', or leave it out; log.jsonl is always written"
        ) from error
    return SummaryWriter(str(folder / "tensorboard"), purge_step=first + 1)


def _progress(steps: int, first: int) -> Progress:
    bar = Progress(
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
        console=Console(stderr=True),
    )
    bar.add_task("", total=steps, completed=first, status="")
    return bar


def _status(reading: Reading) -> str:
    return f"loss {reading.loss:.4g}  {reading.items_per_second:.3g} samples/s"
