import numpy as np
import pytest

from ansatz.core.recipe import Sample
from ansatz.store.samples import Store, write_samples


def sample(name, split="train", size=3):
    return Sample(name, split, {"x": np.arange(size, dtype=np.float32)}, {"speed": 0.1})


def write(samples, folder):
    return [each.name for each in write_samples(samples, folder)]


def test_arrays_split_and_scalars_come_back_as_they_went_in(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "cells": rng.normal(size=(5, 3)),
        "transposed": rng.normal(size=(4, 2)).astype(np.float32).T,
        "scalar": np.array(2.5),
        "flags": np.array([True, False]),
        "none": np.empty((0, 3), np.float32),
        "numbers": np.array([2**40, -1]),
    }
    meta = {"speed": 38.89, "axles": [0.1, 0.2], "name": "τ", "deep": {"n": np.int64(3)}}
    write([Sample("car_1", "test", arrays, meta)], tmp_path)

    store = Store(tmp_path)
    loaded = store.load("car_1")
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].shape == array.shape
    assert store.meta("car_1") == meta | {"deep": {"n": 3}}
    assert store.names("test") == ["car_1"]
    assert store.names("train") == []


def test_car_9_comes_before_car_10(tmp_path):
    write([sample(f"car_{number}") for number in (10, 9, 100, 1)] + [sample("boat")], tmp_path)
    assert Store(tmp_path).names() == ["boat", "car_1", "car_9", "car_10", "car_100"]


def test_an_interrupted_run_leaves_whole_samples_only(tmp_path):
    def failing():
        yield sample("car_1")
        yield sample("car_2")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write(failing(), tmp_path)
    store = Store(tmp_path)
    assert store.names() == ["car_1", "car_2"]
    assert store.load("car_2")["x"].tolist() == [0, 1, 2]


def test_what_a_killed_process_left_behind_is_no_sample(tmp_path):
    write([sample("car_1")], tmp_path)
    before = Store(tmp_path).digest()
    (tmp_path / ".car_2.safetensors.a1b2.safetensors").write_bytes(b"half")
    assert Store(tmp_path).names() == ["car_1"]
    assert Store(tmp_path).digest() == before


def test_samples_that_the_data_no_longer_has_are_removed(tmp_path):
    write([sample("car_1"), sample("car_2")], tmp_path)
    write([sample("car_2"), sample("car_3")], tmp_path)
    assert Store(tmp_path).names() == ["car_2", "car_3"]


def test_an_empty_store_says_how_to_fill_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="ansatz prepare"):
        Store(tmp_path)


def test_the_digest_of_a_store_is_that_of_its_samples(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        write([sample("car_1"), sample("car_2")], folder)
    (two / "pictures").mkdir()
    (two / "pictures" / "car_1.stl").write_text("solid")
    assert Store(one).digest() == Store(two).digest()
    write([sample("car_1"), sample("car_2", split="test")], two)
    assert Store(one).digest() != Store(two).digest()
