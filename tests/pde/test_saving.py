"""Solutions are written, read, and refused where they are not of the problem."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ansatz import pde, verbs
from ansatz.core import catalog
from ansatz.pde.solving import restore

x, y = pde.coordinates("x y")
(f,) = pde.fields("f", x, y)
NETWORK = pde.Network(kind="fourier", width=10, depth=2, frequencies=2.0)
QUICK = replace(pde.QUASI_NEWTON, steps=3)


def problem(force=1.0, width=1.0, points=50, weight=1.0, equation=None):
    square = pde.rectangle((0, 0), (width, 1))
    holds = equation or pde.poisson(f, force)
    return pde.Problem(
        (f,),
        {
            "inside": pde.Inside(square, holds, points),
            "rim": pde.On(square, {f: 0}, 20, weight=weight),
        },
    )


@pytest.fixture
def solution():
    return pde.solve(problem(), network=NETWORK, derivatives="autodiff", train=QUICK)


def test_a_solution_comes_back_to_the_last_bit(solution, tmp_path):
    solution.save(tmp_path / "run")
    found = restore(problem(points=70, weight=x * (y + 1)), tmp_path / "run")
    asked = {"f": f, "slope": f.diff(x, 2)}
    place = {"x": np.linspace(0, 1, 9), "y": 0.3}
    for name, values in solution.evaluate(asked, place).items():
        np.testing.assert_array_equal(found.evaluate(asked, place)[name], values)
    assert (found.loss, found.steps, found.seconds) == (solution.loss, 3, solution.seconds)
    for name, values in found.trial.state_dict().items():
        assert torch.equal(values, solution.trial.state_dict()[name])


def test_the_solution_of_another_problem_is_refused(solution, tmp_path):
    solution.save(tmp_path)
    with pytest.raises(ValueError, match=r"another problem: .* - 1\.0 = 0', not .* - 2 = 0'"):
        restore(problem(force=2), tmp_path)
    with pytest.raises(ValueError, match=r"high=\(1\.0, 1\)\)', not .*high=\(2\.0, 1\)"):
        restore(problem(width=2.0), tmp_path)
    (g,) = pde.fields("g", x, y)
    other = pde.Problem((g,), {"i": pde.Inside(pde.rectangle((0, 0), (1, 1)), {"r": g})})
    with pytest.raises(ValueError, match=r"'find f\(x, y\)', not 'find g\(x, y\)'"):
        restore(other, tmp_path)


def test_a_folder_without_a_whole_solution_is_refused(solution, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"has no model\.safetensors"):
        restore(problem(), tmp_path)
    solution.save(tmp_path)

    def fail(*_):
        raise KeyboardInterrupt

    # Interrupted while it replaces a solution: nothing half old, half new can be read.
    monkeypatch.setattr("ansatz.pde.saving.save_file", fail)
    with pytest.raises(KeyboardInterrupt):
        solution.save(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"has no provenance\.json"):
        restore(problem(), tmp_path)
    monkeypatch.undo()
    solution.save(tmp_path)
    restore(problem(), tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(ValueError, match="or is damaged"):
        restore(problem(), tmp_path)
    save_file({}, weights)
    with pytest.raises(ValueError, match="does not fit the network"):
        restore(problem(), tmp_path)


@pytest.mark.parametrize("text", ["{}", "[1]", "{torn", '{"recipe": null}'])
def test_a_provenance_that_is_none_is_named(solution, tmp_path, text):
    solution.save(tmp_path)
    (tmp_path / "provenance.json").write_text(text)
    with pytest.raises(ValueError, match=r"provenance\.json is damaged, or of something else than"):
        restore(problem(), tmp_path)


def test_commands_and_python_read_one_anothers_solutions(tmp_path, monkeypatch):
    monkeypatch.setenv("ANSATZ_HOME", str(tmp_path / "home"))
    quick = {"train.steps": 2, "log_every": 1, "save_every": 0, "width": 9}
    verbs.train("pde/helmholtz", quick, out=tmp_path / "run")
    helmholtz = catalog.find("pde/helmholtz").data.problem
    found = restore(helmholtz, tmp_path / "run")
    assert found.steps == 2
    trained = load_file(tmp_path / "run" / "model.safetensors")
    assert all(torch.equal(trained[n], w) for n, w in found.trial.state_dict().items())
    found.save(tmp_path / "saved")
    assert json.loads((tmp_path / "saved" / "provenance.json").read_text())["steps"] == 2
    for folder in ("run", "saved"):
        (item,) = verbs.predict(
            "pde/helmholtz", ["5"], {"checkpoint": tmp_path / folder}, out=tmp_path / f"of-{folder}"
        )
        assert item.row["points"] == 25
    with pytest.raises(ValueError, match="another problem"):
        verbs.load("pde/burgers", {"checkpoint": tmp_path / "run"})
