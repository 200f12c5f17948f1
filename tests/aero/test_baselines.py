from dataclasses import replace

import numpy as np
import pytest
import torch
from small_cars import brick, stl_bytes

from ansatz.aero.baselines import aligned, coarse_mesh, mean_field, nearest_car
from ansatz.aero.car import CarRequest
from ansatz.aero.cases import GEOMETRIES, stored_cases
from ansatz.aero.surface import Surface
from ansatz.core.recipe import Sample
from ansatz.store.samples import Store, write_samples

THINNED = slice(None, None, 10)  # every tenth cell of a solution: all of them fit into the mean


def copied(store, folder, names):
    """Training samples in a new store, thinned: for each its name and the car it is a copy of."""
    samples = Store(store)
    made = []
    for name, source in names.items():
        arrays = {
            key: values[THINNED] if key.startswith(("surface", "cp", "cf")) else values
            for key, values in samples.load(source).items()
        }
        made.append(Sample(name, "train", arrays, samples.meta(source)))
    list(write_samples(iter(made), folder))
    return folder


@pytest.fixture(scope="module")
def twins(store, tmp_path_factory):
    return copied(store, tmp_path_factory.mktemp("twins"), {"car_1": "car_1", "car_2": "car_1"})


@pytest.fixture(scope="module")
def pair(store, tmp_path_factory):
    return copied(store, tmp_path_factory.mktemp("pair"), {"car_1": "car_1", "car_901": "car_901"})


def assert_says_the_truth(answer, truth):
    torch.testing.assert_close(answer.pressure, truth.pressure, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(answer.shear, truth.shear, rtol=1e-4, atol=1e-5)
    for name, value in truth.coefficients.items():
        assert answer.loads.coefficients[name] == pytest.approx(value, abs=1e-6), name


def test_the_mean_of_identical_cars_is_that_car(twins):
    _, request, truth = next(stored_cases(twins, "train"))
    assert_says_the_truth(mean_field(twins)(request), truth)


def test_the_mean_field_lies_between_two_cars(pair):
    cases = list(stored_cases(pair, "train"))
    found = mean_field(pair)(cases[0][1]).loads.coefficients["cd"]
    both = [truth.coefficients["cd"] for _, _, truth in cases]
    assert found == pytest.approx(np.mean(both))


def test_the_nearest_car_of_a_training_car_is_itself(pair):
    answer = nearest_car(pair)
    for _, request, truth in stored_cases(pair, "train"):
        assert_says_the_truth(answer(request), truth)


def test_the_two_sides_of_a_sheet_do_not_correspond(car_body):
    places = torch.tensor([[1.0, 0.5, 0.8]]).repeat(3, 1)
    normals = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0], [0.0, 0.6, 0.8]])
    up, down, leaning = aligned(car_body.frame, Surface(places, normals, torch.ones(3)))
    # As far apart as over half of the car, in any direction.
    assert np.linalg.norm(up - down) == pytest.approx(0.6)
    assert np.linalg.norm(up - leaning) < np.linalg.norm(up - down)


def test_baselines_scale_with_density_and_reference_area(pair):
    _, request, truth = next(stored_cases(pair, "train"))
    changed = replace(request, density=1.2, reference_area=1.0)
    found = nearest_car(pair)(changed)
    torch.testing.assert_close(found.pressure, 1.2 * truth.pressure, rtol=1e-4, atol=1e-3)
    assert found.loads.reference_area == 1.0


def test_without_cells_baselines_answer_at_the_triangles(pair):
    _, request, _ = next(stored_cases(pair, "train"))
    found = nearest_car(pair)(replace(request, cells=None))
    assert len(found.surface) == len(found.pressure) > 5000
    assert not found.bands


def test_the_coarse_mesh_is_close_to_the_fine_one_and_not_the_same(store):
    _, request, truth = next(stored_cases(store, "test"))
    assert request.geometry == store / GEOMETRIES / "car_901.stl"
    found = coarse_mesh(store)(request)
    error = found.pressure - truth.pressure
    relative = (error.square() * truth.surface.areas).sum() / (
        truth.pressure.square() * truth.surface.areas
    ).sum()
    assert 0.01 < float(relative.sqrt()) < 0.5
    assert found.loads.coefficients["cd"] == pytest.approx(truth.coefficients["cd"], rel=0.3)


def test_the_coarse_mesh_knows_the_cars_of_the_store_alone(store, tmp_path):
    answer = coarse_mesh(store)
    geometry = stl_bytes(brick(), tmp_path)
    assert answer(CarRequest(geometry)) is None
    assert answer(CarRequest(tmp_path / "car_901.stl")) is None
    assert answer(CarRequest(store / GEOMETRIES / "car_799.stl")) is None
