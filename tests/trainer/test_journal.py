import builtins
import importlib.util
import json
import sys

import pytest

from ansatz.core.recipe import TrainConfig
from ansatz.trainer.journal import open_journal, read_log

READING = {"step": 7, "loss": 0.5, "mass": 0.25, "items_per_second": 1234.5}


def test_the_log_holds_readings_and_notes_that_can_be_read_back(tmp_path, capsys):
    with open_journal(tmp_path, TrainConfig(steps=10), 0) as journal:
        journal.note(0, "resumed [from] nothing")
        journal.write(READING)
    rows = read_log(tmp_path / "log.jsonl")
    assert rows[0] == {"step": 0, "note": "resumed [from] nothing"}
    assert rows[1] == READING
    printed = capsys.readouterr().err.splitlines()
    assert printed == ["resumed [from] nothing", "step 7/10  loss 0.5  1.23e+03 items/s"]


def test_rows_after_the_step_that_is_resumed_are_forgotten(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps({"step": n, "loss": 1.0}) + "\n" for n in (5, 10, 15)))
    with open_journal(tmp_path, TrainConfig(steps=20), 10):
        pass
    assert [row["step"] for row in read_log(log)] == [5, 10]


def test_a_silent_journal_writes_nothing(tmp_path, capsys):
    with open_journal(tmp_path / "none", TrainConfig(tensorboard=True), 0, silent=True) as journal:
        journal.note(1, "hello")
        journal.write(READING)
    assert not (tmp_path / "none").exists()
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with open_journal(tmp_path, TrainConfig(steps=10), 0) as journal:
        journal.note(0, "resumed [from] nothing")
        journal.write(READING)
    printed = capsys.readouterr().err
    assert "7/10" in printed
    assert "loss 0.5" in printed
    assert "resumed [from] nothing" in printed


def test_the_time_left_is_known_even_if_minutes_pass_between_readings(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with open_journal(tmp_path, TrainConfig(steps=100), 0) as journal:
        for number in (10, 20, 30):
            monkeypatch.setattr(journal.bar, "get_time", lambda number=number: 1e6 + 40 * number)
            journal.write({**READING, "step": number})
        assert journal.bar.tasks[0].time_remaining == 40 * 70


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="needs tensorboard")
def test_tensorboard_gets_the_numbers_of_the_log(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with open_journal(tmp_path, TrainConfig(tensorboard=True), 0) as journal:
        journal.write(READING)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    scalar = events.Scalars("mass")[0]
    assert (scalar.step, scalar.value) == (7, 0.25)


def test_tensorboard_that_is_not_installed_is_an_error_with_the_command(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("torch.utils.tensorboard"):
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with (
        pytest.raises(ValueError, match=r"pip install 'ansatz-ai\[tensorboard\]'"),
        open_journal(tmp_path, TrainConfig(tensorboard=True), 0),
    ):
        pass
