from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from ansatz.core import catalog
from ansatz.core.artifacts import Parent, read_provenance, write_provenance
from ansatz.store.making import finished_store, is_made_of, make_store
from ansatz.store.samples import Store


@pytest.fixture
def sines(installed):
    return catalog.find("trigonometry/sine")


@pytest.fixture
def raw(installed):
    folder = installed / "raw"
    folder.mkdir()
    (folder / "angles.csv").write_text("split,angle\ntrain,0.1\ntrain,0.2\ntest,0.3\n")
    return Parent(folder, "one")


def test_a_finished_store_knows_its_raw_files_and_settings(sines, raw, tmp_path):
    store = make_store(sines, raw, tmp_path / "store", {"degree": 1})
    known = read_provenance(store)
    assert known["parents"]["raw"]["sha256"] == "one"
    assert known["overrides"] == {"degree": 1}
    assert known["samples"] == 3
    assert finished_store(sines, store) == store
    assert is_made_of(raw, store)
    assert not is_made_of(Parent(raw.path, "two"), store)


def test_a_store_of_other_settings_is_not_used(sines, raw, tmp_path):
    store = make_store(sines, raw, tmp_path / "store", {})
    other = replace(sines, data=replace(sines.data, degree=2))
    with pytest.raises(ValueError, match="other settings of the data"):
        finished_store(other, store)


def test_a_half_made_store_is_no_store(sines, raw, tmp_path):
    store = make_store(sines, raw, tmp_path / "store", {})
    (raw.path / "angles.csv").write_text("split,angle\ntrain,zero\n")
    with pytest.raises(ValueError, match="zero"):
        make_store(sines, raw, store, {})
    assert Store(store).names()
    with pytest.raises(FileNotFoundError, match="ansatz prepare trigonometry/sine"):
        finished_store(sines, store)
    assert not is_made_of(raw, store)


def test_a_store_is_not_made_where_something_else_lies(sines, raw, tmp_path):
    run = tmp_path / "run"
    write_provenance(run, {"model": "trained"})
    save_file({"w": np.ones(2)}, run / "model.safetensors")
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(ValueError, match="needs a folder of its own"):
        make_store(sines, raw, run, {})
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_damaged_sample_is_named(sines, raw, tmp_path):
    store = make_store(sines, raw, tmp_path / "store", {})
    (store / "angles_test.safetensors").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"angles_test\.safetensors is no sample"):
        Store(store).names("test")


def test_a_folder_without_a_store_says_what_to_do(sines, tmp_path):
    with pytest.raises(FileNotFoundError, match="no finished store of trigonometry/sine"):
        finished_store(sines, tmp_path / "nothing")
