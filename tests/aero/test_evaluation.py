import pytest
import torch
from small_cars import answer_of, request_for, tiny_predictor

from ansatz.aero import evaluation
from ansatz.aero.car import CarRequest
from ansatz.aero.evaluation import evaluate
from ansatz.aero.model import Domino, DominoEnsemble
from ansatz.aero.surface import Surface


@pytest.fixture(scope="module")
def cells(car_body):
    """Some cells of the car, of either half."""
    rng = torch.Generator().manual_seed(0)
    return car_body.cells[torch.randperm(len(car_body.cells), generator=rng)[:3000]]


@pytest.fixture(scope="module")
def encoded(predictor, car_file, cells):
    return predictor.encode(CarRequest(car_file, volume_points=2000, cells=cells))


@pytest.fixture(scope="module")
def outputs(predictor, encoded):
    return predictor.forward(encoded.tensors)


def assert_close(found, expected):
    # Networks are of order one; products of other shapes are summed in another order.
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-5)


def test_the_size_of_a_chunk_does_not_matter(predictor, encoded, outputs, monkeypatch):
    monkeypatch.setattr(evaluation, "CHUNK", 777)
    again = predictor.forward(encoded.tensors)
    for name, values in outputs.items():
        assert_close(again[name], values)


def test_the_same_request_has_the_same_answer_to_the_last_bit(predictor, encoded, outputs):
    again = predictor.forward(encoded.tensors)
    for name, values in outputs.items():
        assert torch.equal(again[name], values), name


def test_an_ensemble_answers_with_the_mean_of_its_members(predictor, encoded, outputs):
    alone = []
    for member in predictor.model.members:
        one = DominoEnsemble(Domino(width=16, depth=1, heads=2, slices=4, members=1))
        one.members[0] = member
        alone.append(evaluate(one.eval(), encoded.tensors))
    for name in ("cells", "asked", "flow"):
        assert_close(outputs[name], torch.stack([out[name] for out in alone]).mean(0))
    assert_close(outputs["force"], torch.cat([out["force"] for out in alone]))
    spread = torch.stack([out["asked"][:, 0] for out in alone]).std(0, correction=0)
    assert_close(outputs["asked_deviation"], spread)
    assert outputs["asked_deviation"].max() > 0


def test_features_of_the_anchors_are_computed_once_for_all_members(
    predictor, car_file, monkeypatch
):
    seen, features = [], evaluation.features

    def counted(tensors, side, points, normals):
        seen.append(points)
        return features(tensors, side, points, normals)

    monkeypatch.setattr(evaluation, "features", counted)
    tensors = predictor.encode(CarRequest(car_file)).tensors
    evaluate(predictor.model, tensors)
    assert len(predictor.model.members) > 1
    assert sum(points is tensors["half0_points"] for points in seen) == 1


def test_the_order_of_the_cells_does_not_matter(predictor, car_file, cells, outputs):
    backwards = cells[torch.arange(len(cells) - 1, -1, -1)]
    again = predictor.forward(predictor.encode(CarRequest(car_file, cells=backwards)).tensors)
    assert_close(again["asked"].flip(0), outputs["asked"])


def test_further_cells_change_nothing(predictor, car_file, cells, outputs):
    few = predictor.forward(predictor.encode(CarRequest(car_file, cells=cells[:10])).tensors)
    assert_close(few["asked"], outputs["asked"][:10])
    assert_close(few["force"], outputs["force"])


def test_wall_shear_stress_is_tangential(outputs, cells):
    shear = outputs["asked"][:, 1:]
    assert (shear * cells.normals).sum(1).abs().max() < 1e-5 * shear.norm(dim=1).max()


def test_cells_of_the_geometry_are_answered_as_cells_that_are_asked(predictor, car_file, car_body):
    request = CarRequest(car_file, cells=car_body.cells)
    found = predictor.forward(predictor.encode(request).tensors)
    assert_close(found["asked"], found["cells"])


def test_the_mirror_image_of_a_point_has_the_mirror_image_of_its_fields(
    predictor, car_file, car_body, cells
):
    flip = torch.tensor([1.0, -1.0, 1.0])
    image = Surface(cells.centers * flip, cells.normals * flip, cells.areas)
    points = torch.rand(500, 3, generator=torch.Generator().manual_seed(0)) * 3
    found = []
    for surface, places in ((cells, points), (image, points * flip)):
        request = request_for(car_file, cells=surface, points=places.numpy())
        found.append(answer_of(predictor, request))
    here, there = found
    # Both are asked at the same points of the same half, in another order.
    torch.testing.assert_close(there.pressure, here.pressure, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(there.shear, here.shear * flip, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        there.volume.velocity, here.volume.velocity * flip, rtol=1e-5, atol=1e-4
    )


def test_networks_of_other_weights_answer_otherwise(encoded, outputs):
    other = tiny_predictor(seed=4).forward(encoded.tensors)
    assert (other["cells"] - outputs["cells"]).abs().max() > 1e-3


@pytest.mark.slow
def test_a_million_cells_are_answered_in_chunks_as_a_thousand_are(predictor, car_file, car_body):
    rng = torch.Generator().manual_seed(0)
    many = car_body.cells[torch.randint(len(car_body.cells), (1_000_000,), generator=rng)]
    # Moved apart along their planes, so that they are a million different points.
    along = torch.linalg.cross(many.normals, torch.rand(len(many), 3, generator=rng))
    spread = Surface(many.centers + 0.01 * along, many.normals, many.areas)
    found = predictor.forward(predictor.encode(CarRequest(car_file, cells=spread)).tensors)
    few = predictor.forward(predictor.encode(CarRequest(car_file, cells=spread[:1000])).tensors)
    assert found["asked"].shape == (1_000_000, 4)
    assert_close(found["asked"][:1000], few["asked"])
