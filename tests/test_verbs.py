import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

import ansatz
from ansatz.core import catalog
from ansatz.core.artifacts import digest, read_provenance
from ansatz.core.places import raw_folder, store_folder
from ansatz.store.samples import Store

NAME = "trigonometry/sine"


def test_mistakes_are_found_before_anything_is_done(installed):
    with pytest.raises(ValueError, match=r"train\.steps=-1: must be greater than or equal to 1"):
        ansatz.train(NAME, {"train.steps": -1})
    with pytest.raises(ValueError, match="sped"):
        ansatz.predict("aero/cars", [], {"sped": 3})
    with pytest.raises(ValueError, match=r"0\.0\.0\.0 can be reached from other machines"):
        ansatz.serve(NAME, {"host": "0.0.0.0"})
    assert list(installed.iterdir()) == []


def test_every_artifact_is_traced_to_its_parents(sine):
    recipe = catalog.find(NAME)
    store = store_folder(recipe)
    ansatz.check(NAME, options={"checkpoint": sine}, out=Path("traced"))

    checked, trained = read_provenance(Path("traced")), read_provenance(sine)
    assert checked["parents"]["checkpoint"] == {"path": str(sine), "sha256": digest(sine)}
    assert checked["parents"]["store"] == trained["parents"]["store"]
    assert trained["parents"]["store"] == {"path": str(store), "sha256": Store(store).digest()}
    raw = read_provenance(store)["parents"]["raw"]
    assert raw["path"] == str(raw_folder(recipe))
    assert trained["recipe"]["train"]["steps"] == 400


def test_a_trained_model_trains_no_further(sine):
    before = digest(sine / "model.safetensors")
    assert ansatz.train(NAME, out=sine).number == 400
    assert digest(sine / "model.safetensors") == before


def test_a_second_stage_trains_the_first_where_there_is_none_and_builds_upon_it(installed):
    first = Path("runs/trigonometry/sine/train")
    options = {"data.degree": 2}
    outcome = ansatz.train("trigonometry/refined", options)
    assert outcome.number == 2
    made, before = read_provenance(outcome.weights.parent), read_provenance(first)
    assert made["parents"]["first"] == {"path": str(first), "sha256": digest(first)}
    assert made["parents"]["store"] == before["parents"]["store"]  # the same data, as asked
    weights = load_file(first / "model.safetensors")
    for name, value in load_file(outcome.weights).items():
        assert (value - weights[name]).abs().max() < 1e-5

    created = before["created"]
    ansatz.train("trigonometry/refined", options, out=Path("again"))
    assert read_provenance(first)["created"] == created  # it is not trained twice
    with pytest.raises(FileNotFoundError):
        ansatz.train("trigonometry/refined", {"first": "nowhere"}, out=Path("other"))


def test_the_first_of_several_processes_makes_the_store_and_the_others_use_it(installed):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*torchrun, "-m", "ansatz", "train", NAME, "train.steps=2"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("preparing") == 1
    assert run.stdout == "runs/trigonometry/sine/train/model.safetensors\n"


def test_a_second_prediction_computes_nothing_and_another_precision_does(sine):
    options, out = {"checkpoint": sine}, Path("answers")
    assert [item.is_new for item in ansatz.predict(NAME, ["1", "2"], options, out=out)] == [1, 1]
    assert [item.is_new for item in ansatz.predict(NAME, ["2", "1"], options, out=out)] == [0, 0]
    rough = ansatz.predict(NAME, ["1"], options | {"precision": "bf16"}, out=out)
    assert [item.is_new for item in rough] == [True]


def test_one_bad_input_fails_alone(sine):
    items = list(ansatz.predict(NAME, ["1", "7", "2"], {"checkpoint": sine}, out=Path("bad")))
    assert [item.failed for item in items] == [False, True, False]
    assert items[1].row["error"] == "7.0 rad is outside ±3.1 rad"


def test_inputs_are_checked_against_a_solver(sine):
    sections, page = ansatz.check(
        NAME, ["1"], {"checkpoint": sine, "with": "exact"}, out=Path("solved")
    )
    assert 0 < sections[0].findings[0].value < 0.05
    assert json.loads((page.parent / "report.json").read_text())["findings"][0]["passed"]


def test_a_store_elsewhere_is_used_if_it_fits(sine):
    folder = ansatz.prepare(NAME, out=Path("elsewhere"))
    options = {"checkpoint": sine, "store": folder}
    ansatz.check(NAME, options=options, out=Path("stored"))
    assert read_provenance(Path("stored"))["parents"]["store"]["path"] == "elsewhere"
    with pytest.raises(ValueError, match="other settings"):
        ansatz.check(NAME, options=options | {"degree": 3}, out=Path("stored"))


def test_raw_files_elsewhere_make_another_store(sine):
    raw = Path("mine")
    raw.mkdir()
    (raw / "angles.csv").write_text("split,angle\ntrain,0.5\nvalidation,1\ntest,2\n")
    store = Store(ansatz.prepare(NAME, options={"raw": raw}, out=Path("my_store")))
    assert store.load("angles_test")["angle"].tolist() == [2.0]


def test_an_outdated_store_of_embedded_data_is_made_again(installed):
    recipe = catalog.find(NAME)
    options = {"train.steps": 1}
    ansatz.train(NAME, options, out=Path("one"))
    path = store_folder(recipe) / "provenance.json"
    known = json.loads(path.read_text())
    known["parents"]["raw"]["sha256"] = "that of an earlier version"
    path.write_text(json.dumps(known))
    sample = store_folder(recipe) / "angles_test.safetensors"
    sample.unlink()
    ansatz.train(NAME, options, out=Path("two"))
    assert sample.exists()
    assert digest(Path("one") / "model.safetensors") == digest(Path("two") / "model.safetensors")


def test_a_checkpoint_that_does_not_ship_says_how_to_train_one(installed):
    with pytest.raises(FileNotFoundError, match=f"ansatz train {NAME}"):
        ansatz.load(NAME)


def test_serving_hands_the_same_model_to_the_server(sine, monkeypatch):
    from sixth_subject import SineRequest

    from ansatz.server import process

    served = []
    monkeypatch.setattr(
        process, "serve", lambda service, settings: served.append((service, settings))
    )
    ansatz.serve(NAME, {"checkpoint": sine, "port": "0", "precision": "bf16"})
    ((service, settings),) = served
    assert settings.port == 0
    assert service.name == NAME
    assert json.loads(service.config)["predict"]["precision"] == "bf16"
    assert service.assets[0].endswith(digest(sine))
    expected = ansatz.load(NAME, {"checkpoint": sine, "precision": "bf16"})(SineRequest(1.0))
    assert service.predictor(SineRequest(1.0)).value == expected.value
