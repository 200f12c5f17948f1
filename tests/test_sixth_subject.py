"""A subject in another distribution needs no change here: all verbs, as commands."""

import csv
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

import ansatz
from ansatz.cli import main

NAME = "trigonometry/sine"


def test_a_subject_of_another_distribution_is_listed_by_the_command(installed):
    run = subprocess.run(
        [sys.executable, "-m", "ansatz", "list"], capture_output=True, text=True, check=True
    )
    assert "trigonometry/sine    the sine of an angle" in run.stdout.splitlines()


def test_it_is_prepared_trained_asked_and_checked(sine, capsys):
    assert main(["prepare", NAME]) == 0
    assert (Path(capsys.readouterr().out.strip()) / "angles_train.safetensors").exists()

    assert main(["predict", NAME, "0.5", "-1.25", f"checkpoint={sine}", "amplitude=2"]) == 0
    with Path("runs/trigonometry/sine/predict/predictions.csv").open(newline="") as file:
        rows = {row["name"]: float(row["sine"]) for row in csv.DictReader(file)}
    assert rows["0.5"] == pytest.approx(2 * math.sin(0.5), abs=0.1)
    assert rows["-1.25"] == pytest.approx(2 * math.sin(-1.25), abs=0.1)

    capsys.readouterr()
    assert main(["check", NAME, f"checkpoint={sine}", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["recipe"] == NAME
    assert [(each["name"], each["passed"]) for each in report["findings"]] == [
        ("largest_error", True)
    ]
    assert Path(report["report"]).read_text().count("largest") > 0


def test_its_model_answers_in_python_too(sine):
    from sixth_subject import SineRequest

    model = ansatz.load(NAME, {"checkpoint": sine})

    assert model(SineRequest(math.pi / 2)).value == pytest.approx(1.0, abs=0.05)


def test_nothing_in_the_package_knows_it():
    package = Path(ansatz.__file__).parent
    texts = {path: path.read_text() for path in package.rglob("*.py")}
    assert not [path for path, text in texts.items() if "sixth" in text or "trigonometry" in text]
