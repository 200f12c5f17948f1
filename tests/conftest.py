"""What tests of whole commands share: a home of their own, and a small subject that is trained."""

import importlib
import os
from pathlib import Path

import hypothesis
import pytest
import torch

from ansatz.cli import main

# A busy machine is no fault of the code: no example has to be done within 200 ms.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")
# Processes of a test run share the cores: with several threads each, they wait for one another.
torch.set_num_threads(1)
SIXTH = Path(__file__).parent / "sixth"


@pytest.fixture(scope="session")
def sine_home(tmp_path_factory):
    """A folder in which `trigonometry/sine` was prepared and trained by commands."""
    folder = tmp_path_factory.mktemp("sine")
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        assert main(["train", "trigonometry/sine"]) == 0
    return folder


@pytest.fixture
def sine(sine_home, monkeypatch):
    """Work in that folder, with the subject installed; the path of the checkpoint."""
    enter(sine_home, monkeypatch)
    return sine_home / "runs/trigonometry/sine/train"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """An empty folder to work in, with the subject installed and nothing prepared."""
    enter(tmp_path, monkeypatch)
    return tmp_path


def enter(folder, patch):
    """Make a folder the working one and the home, and the subject importable."""
    patch.syspath_prepend(str(SIXTH))
    patch.setenv("ANSATZ_HOME", str(folder / "home"))
    patch.setenv("PYTHONPATH", os.pathsep.join([str(SIXTH), os.environ.get("PYTHONPATH", "")]))
    patch.chdir(folder)
    importlib.invalidate_caches()
