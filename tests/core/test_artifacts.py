import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ansatz.core.artifacts import (
    Parent,
    atomic,
    command,
    digest,
    read_provenance,
    write_json,
    write_provenance,
)


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def write_half(path):
    with atomic(path) as part:
        part.write_text("half")
        raise RuntimeError


def test_a_file_appears_when_its_block_ends(tmp_path):
    path = tmp_path / "deep" / "note.txt"
    with atomic(path) as part:
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert names_in(path.parent) == ["note.txt"]


def test_an_error_keeps_the_old_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        write_half(path)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["note.txt"]


def test_a_temporary_path_keeps_its_ending(tmp_path):
    with atomic(tmp_path / "fields.npz") as part:
        np.savez(part, x=np.arange(3))
    assert np.load(tmp_path / "fields.npz")["x"].tolist() == [0, 1, 2]


def test_the_digest_of_a_file_is_its_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_the_digest_of_a_folder_ignores_provenance_and_leftovers_and_nothing_else(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "b").write_text("1")
    (tmp_path / "sub" / "a").write_text("2")
    first = digest(tmp_path)
    write_provenance(tmp_path, {})
    (tmp_path / ".b.x7f").write_text("killed while writing")
    assert digest(tmp_path) == first
    (tmp_path / "sub" / "a").rename(tmp_path / "a")
    assert digest(tmp_path) != first
    (tmp_path / "a").rename(tmp_path / "sub" / "a")
    (tmp_path / "b").write_text("3")
    assert digest(tmp_path) != first


@dataclass(frozen=True)
class Shape:
    width: int
    folder: Path
    activation: object


def test_json_holds_dataclasses_paths_arrays_sets_and_functions(tmp_path):
    path = tmp_path / "x.json"
    content = {"a": Shape(3, Path("b/c"), hashlib.sha256), "n": np.float32(0.5)}
    write_json(path, content | {"names": frozenset({"c", "b", "a"})})
    assert json.loads(path.read_text()) == {
        "a": {"width": 3, "folder": "b/c", "activation": "_hashlib.openssl_sha256"},
        "n": 0.5,
        "names": ["a", "b", "c"],
    }


def test_provenance_traces_an_artifact_to_the_bytes_of_its_parents(tmp_path):
    raw, store = tmp_path / "raw", tmp_path / "store"
    raw.mkdir()
    (raw / "x").write_bytes(b"measured")
    write_provenance(store, Shape(1, raw, None), parents={"raw": Parent(raw, digest(raw))}, seed=7)
    known = read_provenance(store)
    assert known["parents"]["raw"] == {"path": str(raw), "sha256": digest(raw)}
    assert known["recipe"]["width"] == 1
    assert known["seed"] == 7
    assert known["versions"]["python"].startswith(f"{sys.version_info.major}.")
    assert read_provenance(raw) is None


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["/opt/bin/ansatz", "check", "aero/cars"], "ansatz check aero/cars"),
        (["/lib/ansatz/__main__.py", "predict", "a b.stl"], "ansatz predict 'a b.stl'"),
        (["study.py"], "study.py"),
        ([""], ""),
    ],
)
def test_the_command_is_told_as_one_would_type_it(words, text, monkeypatch):
    monkeypatch.setattr(sys, "argv", words)
    assert command() == text
