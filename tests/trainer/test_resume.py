"""A run that is killed goes on to the same last bit: real processes, real signals."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sine
import torch
import worker
from processes import started
from torch import Tensor, nn

from ansatz.core.recipe import Position
from ansatz.trainer.checkpoint import latest
from ansatz.trainer.journal import read_log
from ansatz.trainer.loop import Outcome, run

WORKER = Path(worker.__file__)
ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if not k.startswith(("RANK", "WORLD"))},
    "OMP_NUM_THREADS": "1",
}


def train(folder: Path, batches=None) -> Outcome:
    torch.manual_seed(999)  # whatever the process did before must not matter
    np.random.seed(999)
    return run(
        sine.network(dropout=0.2), sine.noisy_objective, batches or sine.batches(4),
        worker.RESUMED, folder=folder, device=sine.CPU,
    )  # fmt: skip


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("straight")
    train(folder)
    return folder


def test_a_run_killed_by_sigkill_ends_with_the_same_bits(straight, tmp_path):
    killed = started(worker.train, "resume", tmp_path, 0)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert latest(tmp_path / "killed" / "checkpoints").path.name == "step-00000010.safetensors"

    outcome = train(tmp_path / "killed")

    assert outcome == Outcome(20, "", tmp_path / "killed" / "model.safetensors")
    expected = sine.sha256(straight / "model.safetensors")
    assert sine.sha256(tmp_path / "killed" / "model.safetensors") == expected
    assert sine.sha256(tmp_path / "straight" / "model.safetensors") == expected
    final = "checkpoints/step-00000020.safetensors"
    assert sine.sha256(tmp_path / "killed" / final) == sine.sha256(straight / final)


def test_the_log_of_a_resumed_run_is_one_curve(straight, tmp_path):
    train_until(tmp_path, 12, signal.SIGTERM)
    log = tmp_path / "log.jsonl"
    log.write_text(log.read_text() + '{"step": 15, "loss": 7.0}\n{"step": 16, "lo')

    train(tmp_path)

    curves = [
        [(row["step"], row["loss"]) for row in read_log(folder / "log.jsonl") if "loss" in row]
        for folder in (straight, tmp_path)
    ]
    assert [step for step, _ in curves[0]] == [3, 6, 9, 12, 15, 18, 20]
    assert curves[1][:4] == curves[0][:4]
    assert [step for step, _ in curves[1]] == [3, 6, 9, 12, 15, 18, 20]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_run_asked_to_stop_saves_and_goes_on_later_with_the_same_bits(number, straight, tmp_path):
    handler = signal.getsignal(number)

    outcome = train_until(tmp_path, 7, number)

    assert outcome == Outcome(8, number.name, None)
    assert signal.getsignal(number) is handler
    assert not (tmp_path / "model.safetensors").exists()
    assert latest(tmp_path / "checkpoints").path.name == "step-00000008.safetensors"
    train(tmp_path)
    expected = sine.sha256(straight / "model.safetensors")
    assert sine.sha256(tmp_path / "model.safetensors") == expected


def train_until(folder: Path, step: int, number: signal.Signals) -> Outcome:
    plain = sine.batches(4)

    def batch_at(position: Position, model: nn.Module) -> dict[str, Tensor]:
        if (position.step, position.micro) == (step, 0):
            os.kill(os.getpid(), number)
        return plain(position, model)

    return train(folder, batch_at)


def test_a_finished_run_is_not_trained_again(straight):
    def no_batches(position: Position, model: nn.Module) -> dict[str, Tensor]:
        raise AssertionError("a finished run asked for data")

    before = sine.sha256(straight / "model.safetensors")
    assert train(straight, no_batches).number == 20
    assert sine.sha256(straight / "model.safetensors") == before


def test_two_ranks_resume_to_the_same_bits_after_one_was_killed(tmp_path):
    # Without its own store, a restarted group reads the addresses of the dead one.
    environment = {**ENVIRONMENT, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    launched = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
            "--max-restarts=3", "--monitor-interval=0.1",
            str(WORKER), "resume", str(tmp_path), "1",
        ],
        env=environment, capture_output=True, check=False,
    )  # fmt: skip
    assert launched.returncode == 0, launched.stderr.decode()
    assert (tmp_path / "killed.died").exists()
    notes = [row.get("note", "") for row in read_log(tmp_path / "killed" / "log.jsonl")]
    assert any("resumed from" in note and "step-00000010" in note for note in notes)
    killed, whole = (tmp_path / name / "model.safetensors" for name in ("killed", "straight"))
    assert sine.sha256(killed) == sine.sha256(whole)
