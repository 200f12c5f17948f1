import numpy as np
import pytest
import torch

from ansatz.aero.roughness import NEIGHBORS, from_neighbors, roughness
from ansatz.aero.stream import FreeStream
from ansatz.aero.surface import Surface
from ansatz.aero.truth import CarTruth
from ansatz.report import statistics


def sheet(count=2000):
    rng = np.random.default_rng(0)
    places = np.concatenate([rng.random((count, 2)), np.zeros((count, 1))], 1)
    return places, np.tile([0.0, 0.0, 1.0], (count, 1)), rng


def test_a_linear_field_is_what_its_neighbours_say():
    places, normals, _ = sheet()
    fields = places[:, :2] * [3.0, -2.0] + 1.0
    np.testing.assert_allclose(from_neighbors(places, normals, fields), fields, atol=1e-4)


def test_cells_that_face_away_are_no_neighbours():
    places, normals, _ = sheet()
    thin = np.concatenate([places, places - [0, 0, 1e-3]])
    both = np.concatenate([normals, -normals])
    fields = both[:, 2:].copy()
    np.testing.assert_allclose(from_neighbors(thin, both, fields), fields, atol=1e-6)


def test_noise_from_cell_to_cell_is_found_as_large_as_it_is():
    places, normals, rng = sheet(4000)
    pressure = 1.0 + 0.1 * rng.normal(size=4000)
    surface = Surface(*(torch.from_numpy(a).float() for a in (places, normals, np.ones(4000))))
    shear = torch.tensor([0.01, 0.0, 0.0]).expand(4000, 3)
    stream = FreeStream(30.0)
    scaled = stream.dynamic_pressure * torch.from_numpy(pressure).float()
    truth = CarTruth("noise", surface, scaled, shear, stream, 1.0, 1.0, (0.0, 0.0, 0.0))
    cp, cf = (float(statistics.relative_l2(row)) for row in roughness(truth))
    # The plane through k noisy neighbours has a noise of its own, of about 1/k to 3/k in variance.
    assert 0.1 < cp < 0.1 * np.sqrt(1 + 3 / NEIGHBORS)
    assert cf == pytest.approx(0, abs=1e-5)
