import json
from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from fake_drivaerml import (
    AREA,
    FRICTION,
    P0,
    SLOPE,
    Q,
    drivaer,
    force,
    write_forces,
    write_solution,
)
from safetensors.torch import save_file
from torch import nn

from ansatz.aero.checks import CHECKS
from ansatz.aero.drivaerml import RUNS
from ansatz.aero.drivaerml_dataset import DrivAerML
from ansatz.aero.halves import Draws, sides
from ansatz.aero.loading import load_predictor
from ansatz.aero.model import Domino
from ansatz.aero.objective import FieldsAndForces
from ansatz.core.findings import Case
from ansatz.core.recipe import Position, TrainConfig
from ansatz.mesh.solids import merged
from ansatz.mesh.stl import write_stl
from ansatz.store.samples import Store, write_samples
from ansatz.trainer.loop import run as train

SOLVED, FORCES_ONLY, BOTH = 1, 2, 3
DATA = DrivAerML(
    runs="1-3", faces=4000, validation_runs="1", test_runs="2,3", draws=Draws(64, 128, 1)
)
TINY = Domino(width=16, depth=1, heads=2, slices=4)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Three runs: with fields alone and lopsided, with forces alone, and with both."""
    root = tmp_path_factory.mktemp("drivaerml")
    for run in (SOLVED, FORCES_ONLY, BOTH):
        folder = root / f"run_{run}"
        folder.mkdir()
        solids = drivaer(wider=1.05 if run == SOLVED else 1.0)
        write_stl(folder / f"drivaer_{run}.stl", solids)
        if run != FORCES_ONLY:
            write_solution(folder / f"boundary_{run}.vtp", merged(solids))
        if run == FORCES_ONLY:
            write_forces(folder, run, cd=0.31)
        if run == BOTH:
            cd, cs, cl = force(solids)
            write_forces(folder, run, cd=cd + 0.02, cl=cl, clf=0.4 * cl, cs=cs)
    return root


@pytest.fixture(scope="module")
def store(raw, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    assert len(list(write_samples(DATA.samples(raw), folder))) == 3
    return folder


@pytest.fixture(scope="module")
def truths(store):
    cases = [case for split in ("validation", "test") for case in DATA.cases(store, split)]
    return {name: (request, truth) for name, request, truth in cases}


# ------------------------------------------------------------------------------------- truths
def test_the_truth_has_the_force_of_the_flow(truths):
    _, truth = truths["run_1"]
    expected = force(drivaer(wider=1.05))
    found = [truth.coefficients[name] for name in ("cd", "cs", "cl")]
    np.testing.assert_allclose(found, expected, rtol=2e-5)


def test_a_third_of_the_polygons_has_the_force_of_all(truths):
    _, truth = truths["run_1"]
    expected = force(drivaer(wider=1.05))
    assert len(truth.surface) == 4000
    thinned = truth.loads.coefficients
    np.testing.assert_allclose([thinned[name] for name in ("cd", "cs", "cl")], expected, rtol=2e-5)
    for name, value in truth.coefficients.items():
        assert thinned[name] == pytest.approx(value, abs=2e-6), name


def test_stated_coefficients_win_and_the_rest_is_integrated(truths, store):
    _, truth = truths["run_3"]
    cd, cs, cl = force(drivaer())
    coefficients = truth.coefficients
    assert coefficients["cd"] == pytest.approx(cd + 0.02, rel=1e-6)
    assert (coefficients["cl"], coefficients["cs"]) == pytest.approx((cl, cs), rel=1e-6)
    assert coefficients["clf"] + coefficients["clr"] == pytest.approx(cl, rel=1e-6)
    # Clf - Clr = 2 Cm with Clf = 0.4 Cl.
    assert coefficients["cm_pitch"] == pytest.approx(-0.1 * cl, rel=1e-6)
    assert coefficients["cm_yaw"] == pytest.approx(truth.loads.coefficients["cm_yaw"], abs=2e-6)
    assert Store(store).meta("run_3")["integrated"]["cd"] == pytest.approx(cd, rel=2e-5)


def test_forces_alone_are_a_truth_with_constant_reference_values(truths):
    request, truth = truths["run_2"]
    assert len(truth.surface) == 0
    assert request.cells is None
    assert truth.coefficients["cd"] == 0.31
    assert truth.coefficients["cm_pitch"] == pytest.approx((-0.03 - 0.08) / 2)
    assert (request.reference_area, request.reference_length) == (2.17, 2.78618)
    assert truth.center == (1.40009, 0.0, -0.3176)


def test_fields_are_those_of_the_polygons_without_symmetry(truths):
    request, truth = truths["run_1"]
    points = truth.surface.centers.double().numpy()
    np.testing.assert_allclose(truth.pressure / Q, P0 + points @ SLOPE, atol=1e-5)
    np.testing.assert_allclose(truth.shear / Q, np.tile(FRICTION, (4000, 1)), atol=1e-7)
    # The wider side, and normals into the air on both.
    assert points[:, 1].max() > 1.03 * -points[:, 1].min()
    assert (truth.surface.normals[:, 1] * truth.surface.centers[:, 1]).mean() > 0.1
    assert request.cells is truth.surface


# ------------------------------------------------------------------------------------- halves
def test_two_halves_are_the_whole_body(store):
    samples = Store(store)
    arrays, meta = samples.load("run_1"), samples.meta("run_1")
    left, right = sides(arrays, meta)
    for name in ("cells_xyz", "surface_xyz"):
        assert left[name][:, 1].min() >= 0
        assert right[name][:, 1].min() > 0
    for name, whole in arrays.items():
        flip = np.array([1, -1, 1] if whole.ndim == 2 else 1, np.float32)
        both = np.concatenate([left[name], right[name] * flip])
        np.testing.assert_array_equal(in_order(both), in_order(whole))


def in_order(rows):
    """Rows sorted by their last component, then by those before."""
    return rows[np.lexsort(rows.T)] if rows.ndim == 2 else np.sort(rows)


def test_a_reflected_half_feels_the_reflected_force(store):
    samples = Store(store)
    left, right = sides(samples.load("run_1"), samples.meta("run_1"))

    def half_force(side):
        traction = side["cf"] - side["cp"][:, None] * side["surface_normal"]
        return side["surface_area"].astype(np.float64) @ traction / AREA

    total = half_force(left) + half_force(right) * [1, -1, 1]
    np.testing.assert_allclose(total, force(drivaer(wider=1.05)), rtol=2e-5)


def test_a_half_body_is_its_own_half():
    arrays = {"cp": np.arange(3.0)}
    (only,) = sides(arrays, {"is_half": True})
    assert only is arrays


# ----------------------------------------------------------------------------------- training
def test_training_learns_from_both_halves_and_without_a_flow(raw, tmp_path):
    # Of run 2 forces alone are known: it is passed over.
    data = replace(DATA, runs="1-2", validation_runs="3", test_runs="4")
    for _ in write_samples(data.samples(raw), tmp_path / "store"):
        pass
    batches = data.batches(tmp_path / "store", "train", 2)
    batch = batches(Position(seed=0, step=0), nn.Identity())
    assert {name: tuple(values.shape[:2]) for name, values in batch.items() if values.ndim > 1} == {
        "anchors": (2, 64), "weights": (2, 64), "surface": (2, 128), "places": (2, 128),
        "area_vectors": (2, 128), "fields": (2, 128), "volume": (2, 1), "flow": (2, 1),
    }  # fmt: skip
    # One half of either side, of the one run: friction along y tells them apart.
    np.testing.assert_allclose(sorted(batch["fields"][:, 0, 2].tolist()), [-1e-3, 1e-3], rtol=1e-4)
    torch.manual_seed(0)
    model = TINY.build()
    loss = FieldsAndForces()(model, batch, torch.Generator())
    assert loss.terms["flow"] == 0
    assert loss.terms["cp"] > 0
    config = TrainConfig(steps=3, batch_size=2, warmup_steps=1, log_every=1, save_every=0)
    outcome = train(
        model, FieldsAndForces(), batches, config,
        folder=tmp_path / "run", device=torch.device("cpu"),
    )  # fmt: skip
    assert outcome.number == 3
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


def test_a_split_without_fields_says_what_to_fetch(store, raw, tmp_path):
    data = replace(DATA, runs="2")
    for _ in write_samples(data.samples(raw), tmp_path):
        pass
    with pytest.raises(FileNotFoundError, match=r"1 samples of the test split.*no fields.*Fetch"):
        data.batches(tmp_path, "test", 1)
    with pytest.raises(FileNotFoundError, match="no samples of the train split"):
        data.batches(tmp_path, "train", 1)


# ----------------------------------------------------------------------------------- checking
def test_answers_are_checked_with_and_without_fields(store, tmp_path):
    torch.manual_seed(0)
    save_file(TINY.build().state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "provenance.json").write_text(json.dumps({"recipe": {"model": asdict(TINY)}}))
    predictor = load_predictor(tmp_path)
    cases = []
    for name, request, truth in DATA.cases(store, "test"):
        encoded = predictor.encode(request)
        answer = predictor.decode(predictor.forward(encoded.tensors), encoded)
        cases.append(Case(name, request, answer, truth))
    assert cases[0].answer.loads.reference_area == AREA
    assert len(cases[1].answer.surface) == 4000
    sections = [check(cases) for check in CHECKS]
    assert len(sections) == len(CHECKS)
    rows = {row[0]: row for table in sections[0].tables for row in table.rows if len(row) > 3}
    assert rows["run_2"][3] == 0.31
    assert [row[0] for row in sections[1].tables[0].rows] == ["run_3"]


# -------------------------------------------------------------------------------------- split
def test_the_splits_have_the_sizes_of_the_benchmark_and_share_no_run():
    validation, test = DrivAerML().held_out()
    assert (len(RUNS) - len(validation) - len(test), len(validation), len(test)) == (400, 34, 50)
    assert not validation & test
    # By no rule that a space-filling design of the runs could follow.
    assert Counter(run % 2 for run in test)[0] in range(15, 36)
    assert Counter(run <= 250 for run in test)[True] in range(15, 36)


def test_a_run_has_the_same_split_whatever_else_was_fetched(raw):
    data = replace(DATA, runs="1", validation_runs="", test_runs="")
    (sample,) = data.samples(raw)
    validation, test = DrivAerML().held_out()
    assert (sample.split == "test", sample.split == "validation") == (1 in test, 1 in validation)


def test_explicit_lists_replace_the_rule():
    validation, test = DrivAerML(validation_runs="1-3", test_runs="10").held_out()
    assert (validation, test) == ({1, 2, 3}, {10})
    ruled = DrivAerML().held_out()[0]
    first = min(ruled)
    assert DrivAerML(test_runs=str(first)).held_out() == (ruled - {first}, {first})
    with pytest.raises(ValueError, match=r"runs 3 are in validation_runs and in test_runs"):
        DrivAerML(validation_runs="1-3", test_runs="3,4").held_out()
    with pytest.raises(LookupError, match="no public runs 167"):
        DrivAerML(test_runs="167").held_out()


def test_the_manifest_brings_what_was_asked_for():
    paths = {file.path for file in replace(DATA, kinds="stl,boundary,forces").manifest().files}
    assert {"run_1/drivaer_1.stl", "run_3/boundary_3.vtp"} <= paths
    assert "run_2/force_mom_constref_2.csv" in paths
    assert not [path for path in paths if "volume" in path]


def test_a_raw_directory_without_geometries_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no run_\*/drivaer_\*.stl of the runs 1-3.*fetch"):
        list(DATA.samples(tmp_path))
