from dataclasses import replace

import pytest
import torch
from torch import nn

from ansatz.engine.building.cache import key, store, stored
from ansatz.engine.building.export import exported

ENGINE = b"an engine\nof two lines" * 100


def key_of(module, inputs, **other):
    known = {"precision": "fp8", "backend": "tensorrt-rtx", "target": "SM120"}
    return key(exported(module, inputs), [inputs], **(known | {"versions": {}} | other))


@pytest.fixture(scope="module")
def inputs():
    return (torch.randn(2, 4, generator=torch.Generator().manual_seed(0)),)


@pytest.fixture(scope="module")
def line():
    torch.manual_seed(0)
    return nn.Linear(4, 4)


@pytest.fixture(scope="module")
def wanted(line, inputs):
    return key_of(line, inputs)


def test_an_engine_comes_back_byte_for_byte(wanted, tmp_path):
    assert stored(tmp_path, wanted) is None
    store(tmp_path, wanted, ENGINE)
    assert stored(tmp_path, wanted) == ENGINE
    assert len(list(tmp_path.iterdir())) == 1


def test_a_second_export_has_the_same_key(line, inputs, wanted):
    assert key_of(line, inputs).digest == wanted.digest


@pytest.mark.parametrize("left", [0, 5, 200, -1])
def test_a_file_that_is_cut_is_no_engine(wanted, tmp_path, left):
    path = store(tmp_path, wanted, ENGINE)
    path.write_bytes(path.read_bytes()[:left])
    assert stored(tmp_path, wanted) is None


def test_a_file_with_another_byte_is_no_engine(wanted, tmp_path):
    path = store(tmp_path, wanted, ENGINE)
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    assert stored(tmp_path, wanted) is None


def test_the_file_of_another_key_is_no_engine(wanted, tmp_path):
    foreign = replace(wanted, target="SM89")
    path = store(tmp_path, foreign, ENGINE)
    path.rename(tmp_path / f"{wanted.digest}.engine")
    assert stored(tmp_path, wanted) is None


def test_a_build_that_dies_leaves_nothing(wanted, tmp_path, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", die)
    with pytest.raises(KeyboardInterrupt):
        store(tmp_path, wanted, ENGINE)
    assert list(tmp_path.iterdir()) == []


def test_all_that_decides_is_in_the_key(line, inputs, wanted):
    torch.manual_seed(1)
    others = [
        key_of(nn.Linear(4, 4), inputs),  # other weights
        key_of(nn.Sequential(line, nn.ReLU()), inputs),  # another graph
        key_of(line, (torch.cat([*inputs, *inputs]),)),  # another shape
        key_of(line, (2 * inputs[0],)),  # other scales
        *(replace(wanted, **{name: "other"}) for name in ("precision", "backend", "target")),
        replace(wanted, versions={"tensorrt_rtx": "2"}),
        replace(wanted, options={"tf32": "True"}),
    ]
    digests = {each.digest for each in (wanted, *others)}
    assert len(digests) == 1 + len(others)
