"""PhysicsNeMo's DoMINO on the cars of `aero/cars`: how long it takes to answer, how well it learns.

    python -m venv peer && peer/bin/pip install torch==2.13.0
    peer/bin/pip install -c <(echo torch==2.13.0) nvidia-physicsnemo==2.2.2 trimesh scipy
    export OMP_NUM_THREADS=1
    peer/bin/python benchmarks/aero_domino.py time car_901.stl.gz
    peer/bin/python benchmarks/aero_domino.py train cars/ domino.pt --budget 3600
    peer/bin/python benchmarks/aero_domino.py evaluate cars/ domino.pt

The peer is used as its authors publish it: its own model class, coordinates scaled to [-1, 1] by a
fixed box, signed distance on its latent grid, a stencil of nearest cells, inlet speed as an
encoded parameter, Adam on one car a step, area-weighted random cells, autocast arithmetic,
a mean squared error of standardized fields plus one of the force that they add up to. `time` takes
the published sizes. `train` reduces them, since the published training took eight H100 four hours,
and departs from the example only where that helps the peer in an hour of one core:

- the grid covers the half of the car that the data cover, with 1/21 of the nodes;
- the targets are Cp and Cf, as in the newest of its recipes, so that the speed scales out;
- the rate starts at 2e-3 instead of 1e-3 (validation error of Cp after 200 s: 0.46, not 0.50) and
  falls along a half cosine, which the example offers, instead of in steps;
- the force has a weight that leaves the fields room (0.3; with 10, Cp is off by 0.48, not 0.34).

A car is `car_N.npz`: cells of a half body (y >= 0) with outward normals n, areas A, Cp, and Cf in
OpenFOAM's sign, against the flow. With the reference area S, the force coefficients are
C = 2/S sum (-Cp n - Cf) A, of which x is drag and z is lift. Its geometry is `car_N.stl.gz`, or
is drawn again by the campaign's generator (`--geometry`). Seconds are CPU seconds of the process.
"""

import argparse
import gzip
import importlib.util
import io
import json
import math
import os
import platform
import re
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

# PhysicsNeMo imports timm, which imports torchvision, whose operators do not load beside a CPU
# build of torch: declaring the two that it looks up is enough, none is ever called.
_torchvision = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
for _name in ("nms", "qnms"):
    _schema = f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    _torchvision.define(_schema)  # type: ignore[no-untyped-call]

import physicsnemo  # noqa: E402
import warp  # noqa: E402
from physicsnemo.models.domino.config import DEFAULT_MODEL_PARAMS, Config  # noqa: E402
from physicsnemo.models.domino.model import DoMINO  # noqa: E402
from physicsnemo.nn.functional import signed_distance_field  # noqa: E402

Array = NDArray[np.float32]
Indices = NDArray[np.int64]

# Around the half body of every car of the design space, m. The peer's box is fixed as well.
HALF_BOX = np.array([[-0.2, -0.1, -0.1], [5.2, 1.1, 1.75]], dtype=np.float32)
REFERENCE_SPEED = 30.0  # m/s, of the peer's example
STORED_NEIGHBORS = 7  # the cell itself included: the published stencil
STORED_POINTS = 20_000  # points on the geometry of a car, of which every step draws some


# ------------------------------------------------------------------------------------ the peer
@dataclass(frozen=True)
class Sizes:
    """Sizes of the peer that fit an hour of one core.

    Attributes:
        grid: Nodes of the latent grid.
        width: Neurons of the basis, position and aggregation networks.
        stencil: Cells whose answers are averaged, the cell itself included.
        speed_width: Neurons that encode the speed; 0 leaves it out.
        geometry_points: Points of the geometry that a step sees; the example takes 300,000.
        surface_points: Cells that a step sees; the example takes 8,192.
        encoder_radii: Of the balls that gather geometry around a node, scaled coordinates.
        encoder_neighbors: Points kept in each of them.
        local_radii: Of the balls that gather nodes around a cell, scaled coordinates.
        local_neighbors: Nodes kept in each of them.
    """

    grid: tuple[int, int, int] = (64, 16, 24)
    width: int = 192
    stencil: int = 1
    speed_width: int = 16
    geometry_points: int = 4000
    surface_points: int = 2048
    encoder_radii: tuple[float, ...] = (0.05, 0.15, 1.0)
    encoder_neighbors: tuple[int, ...] = (8, 16, 64)
    local_radii: tuple[float, ...] = (0.1, 0.22)
    local_neighbors: tuple[int, ...] = (16, 128)


PUBLISHED = Sizes(
    grid=(128, 64, 64),
    width=512,
    stencil=7,
    speed_width=0,
    geometry_points=20_000,
    surface_points=20_000,
    encoder_radii=(0.01, 0.05, 1.0),
    encoder_neighbors=(8, 16, 128),
    local_radii=(0.05, 0.25),
    local_neighbors=(32, 128),
)


def build(sizes: Sizes) -> DoMINO:
    """The peer's surface model with fresh weights: Cp and three components of Cf."""
    config = Config(json.loads(json.dumps(DEFAULT_MODEL_PARAMS)))
    config.interp_res = list(sizes.grid)
    config.num_neighbors_surface = sizes.stencil
    config.encode_parameters = sizes.speed_width > 0
    config.parameter_model.base_layer = sizes.speed_width
    config.nn_basis_functions.base_layer = sizes.width
    config.aggregation_model.base_layer = sizes.width
    config.position_encoder.base_neurons = sizes.width
    config.geometry_rep.geo_processor.processor_type = "conv"  # the example's, not the default
    config.geometry_rep.geo_conv.surface_radii = list(sizes.encoder_radii)
    config.geometry_rep.geo_conv.surface_neighbors_in_radius = list(sizes.encoder_neighbors)
    config.geometry_local.surface_radii = list(sizes.local_radii)
    config.geometry_local.surface_neighbors_in_radius = list(sizes.local_neighbors)
    return DoMINO(
        input_features=3, output_features_surf=4, global_features=1, model_parameters=config
    )


def surface_parameters(model: DoMINO) -> list[torch.nn.Parameter]:
    """The parameters in use: the peer builds its volume networks even if nobody asks for them."""
    unused = ("geo_rep_volume", "volume_local")
    return [p for name, p in model.named_parameters() if not name.startswith(unused)]


def latent_grid(shape: tuple[int, int, int]) -> Tensor:
    """Nodes in scaled coordinates, shape (nx, ny, nz, 3)."""
    axes = [torch.linspace(-1, 1, n) for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def scaled(points: NDArray[np.floating], box: Array) -> Array:
    """Coordinates in m to the peer's: -1 to 1 across the box, in each direction."""
    return np.asarray(2 * (points - box[0]) / (box[1] - box[0]) - 1, dtype=np.float32)


def signed_distance(mesh: trimesh.Trimesh, box: Array, shape: tuple[int, int, int]) -> Array:
    """Distance from the mesh at the nodes of a grid over the box, scaled; negative inside."""
    distance, _, _ = signed_distance_field(
        torch.from_numpy(scaled(mesh.vertices, box)),
        torch.from_numpy(np.asarray(mesh.faces, dtype=np.int32)).reshape(-1),
        latent_grid(shape).reshape(-1, 3),
        use_sign_winding_number=True,
    )
    return np.asarray(distance.reshape(shape).numpy())


# ------------------------------------------------------------------------------------ the cars
@dataclass(frozen=True)
class Car:
    """What the peer's data pipe makes of a mesh and a solution, measured once.

    Attributes:
        number: Of the car.
        box: Lower and upper corner of the scaled coordinates, m, (2, 3).
        points: Cell centers, scaled, (cells, 3).
        normals: Outward unit normals, (cells, 3).
        areas: m², (cells,).
        fields: Cp and Cf in OpenFOAM's sign, (cells, 4).
        neighbors: Cells nearest to each cell, itself first, (cells, 7).
        distance: Signed distance on the latent grid, scaled, (nx, ny, nz).
        geometry: Points on the geometry, m, (points, 3).
        center: Of the geometry's surface, scaled, (3,).
        speed: Of the stream, m/s.
        reference_area: Frontal area of the whole car, m².
    """

    number: int
    box: Array
    points: Array
    normals: Array
    areas: Array
    fields: Array
    neighbors: Indices
    distance: Array
    geometry: Array
    center: Array
    speed: float
    reference_area: float

    def force(self, fields: Array) -> NDArray[np.float64]:
        """Coefficients of drag, side force and lift; of the half body twice."""
        traction = -fields[:, :1].astype(np.float64) * self.normals - fields[:, 1:]
        return np.asarray(2 / self.reference_area * (self.areas.astype(np.float64) @ traction))


def read_mesh(path: Path) -> trimesh.Trimesh:
    """An STL file, gzipped or not, its solids as one mesh."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return trimesh.load_mesh(io.BytesIO(data), file_type="stl")


def regenerated_mesh(number: int, generator: Path | None) -> trimesh.Trimesh:
    """The geometry of a car whose data hold none, drawn again by the campaign's generator."""
    spec = importlib.util.spec_from_file_location("geometry", generator) if generator else None
    if spec is None or spec.loader is None:
        raise ValueError(
            f"car {number} has no STL file beside its data, and --geometry names no Python file "
            "that draws it again: give the path of the campaign's geometry.py"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look their annotations up
    spec.loader.exec_module(module)
    body, _ = module.Car.sample(np.random.default_rng(number))
    solids = [trimesh.Trimesh(v, f, process=False) for v, f in body.solids().values()]
    merged = trimesh.util.concatenate(solids)
    assert isinstance(merged, trimesh.Trimesh)
    return merged


def surface_center(mesh: trimesh.Trimesh) -> NDArray[np.float64]:
    return np.asarray(np.average(mesh.triangles_center, axis=0, weights=mesh.area_faces))


def measured(path: Path, mesh: trimesh.Trimesh, grid: tuple[int, int, int]) -> Car:
    """Bring the data and the geometry of a car to the peer's conventions."""
    number, box = car_number(path), HALF_BOX
    on_surface, _ = trimesh.sample.sample_surface(mesh, 3 * STORED_POINTS, seed=number)
    geometry = on_surface[on_surface[:, 1] > box[0, 1]][:STORED_POINTS]
    with np.load(path) as data:
        meta = json.loads(str(data["meta"]))
        xyz, normals = data["surface_xyz"], data["surface_normal"].astype(np.float32)
        return Car(
            number=number,
            box=box,
            points=scaled(xyz, box),
            normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
            areas=data["surface_area"],
            fields=np.column_stack([data["cp"], data["cf"]]).astype(np.float32),
            neighbors=cKDTree(xyz).query(xyz, k=STORED_NEIGHBORS)[1],
            distance=signed_distance(mesh, box, grid),
            geometry=geometry.astype(np.float32),
            center=scaled(surface_center(mesh), box),
            speed=float(meta["speed"]),
            reference_area=float(meta["frontal_area"]),
        )


def car_number(path: Path) -> int:
    return int(path.stem.split("_")[1])


def load_car(path: Path, grid: tuple[int, int, int], args: argparse.Namespace) -> Car:
    """A car from the cache, where it is put when it is first asked for, or has changed since."""
    name = "_".join([*path.resolve().with_suffix("").parts[1:], *map(str, grid)])
    cached = args.cache / f"{name}.npz"
    if not cached.exists() or cached.stat().st_mtime < path.stat().st_mtime:
        stl = path.with_suffix(".stl.gz")
        mesh = read_mesh(stl) if stl.exists() else regenerated_mesh(car_number(path), args.geometry)
        cached.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cached, **asdict(measured(path, mesh, grid)))
    with np.load(cached) as data:
        return Car(**{k: v if v.ndim else v.item() for k, v in data.items()})


def load_cars(numbers: str, grid: tuple[int, int, int], args: argparse.Namespace) -> list[Car]:
    """The cars of a folder whose numbers lie in a range such as `1-799`."""
    first, last = (int(n) for n in numbers.split("-"))
    found = sorted(args.cars.glob("car_*.npz"), key=car_number)
    cars = [load_car(p, grid, args) for p in found if first <= car_number(p) <= last]
    if not cars:
        raise LookupError(f"{args.cars} holds no car_N.npz with N from {first} to {last}")
    return cars


def inputs(car: Car, cells: Indices, sizes: Sizes, rng: np.random.Generator) -> dict[str, Tensor]:
    """The dictionary that the peer's model takes, for some cells of a car; a batch of one."""
    # The peer asks for neighbors even where its stencil has none, and then ignores them.
    near = car.neighbors[cells, 1 : max(sizes.stencil, 2)]
    batch = {
        "geometry_coordinates": rng.choice(car.geometry, sizes.geometry_points, replace=False),
        "sdf_surf_grid": car.distance,
        "surface_min_max": car.box,
        "surface_mesh_centers": car.points[cells],
        "surface_mesh_neighbors": car.points[near],
        "surface_normals": car.normals[cells],
        "surface_neighbors_normals": car.normals[near],
        "surface_areas": car.areas[cells],
        "surface_neighbors_areas": car.areas[near],
        "pos_surface_center_of_mass": car.points[cells] - car.center,
        "global_params_values": np.array([[car.speed]], dtype=np.float32),
        "global_params_reference": np.array([[REFERENCE_SPEED]], dtype=np.float32),
    }
    tensors = {name: torch.from_numpy(array)[None] for name, array in batch.items()}
    return tensors | {"surf_grid": latent_grid(sizes.grid)[None]}


# ------------------------------------------------------------------------------------ training
@dataclass(frozen=True)
class Training:
    """How the peer is trained.

    Attributes:
        budget: CPU seconds; preparing the cars is not counted.
        rate: Peak learning rate of Adam.
        clip: Largest norm of the gradient.
        integral: Weight of the squared errors of the drag and lift coefficients.
        bf16: Autocast to bfloat16, as the example does to float16 on a GPU.
        seed: Of the weights and of every draw.
    """

    budget: float = 3600.0
    rate: float = 2e-3
    clip: float = 2.0
    integral: float = 0.3
    bf16: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Run:
    """A training run as a checkpoint keeps it.

    Attributes:
        sizes: Of the model.
        how: It is trained.
        model: With the weights reached so far.
        optimizer: With its moments.
        mean: Of the fields, (4,).
        scale: Deviation of the fields, (4,).
        step: Steps made.
        spent: CPU seconds spent.
    """

    sizes: Sizes
    how: Training
    model: DoMINO
    optimizer: torch.optim.Optimizer
    mean: Tensor
    scale: Tensor
    step: int = 0
    spent: float = 0.0


def fresh_run(sizes: Sizes, how: Training, cars: list[Car]) -> Run:
    """A run at its first step; fields are standardized by their area-weighted moments."""
    torch.manual_seed(how.seed)
    model = build(sizes)
    fields = np.concatenate([c.fields for c in cars]).astype(np.float64)
    areas = np.concatenate([c.areas for c in cars])
    mean = np.average(fields, axis=0, weights=areas)
    scale = np.sqrt(np.average((fields - mean) ** 2, axis=0, weights=areas))
    optimizer = torch.optim.Adam(surface_parameters(model), lr=how.rate)
    return Run(
        sizes,
        how,
        model,
        optimizer,
        mean=torch.from_numpy(mean).float(),
        scale=torch.from_numpy(scale).float(),
    )


def load_run(path: Path) -> Run:
    content = torch.load(path, weights_only=True)
    sizes, how = Sizes(**content.pop("sizes")), Training(**content.pop("how"))
    model = build(sizes)
    model.load_state_dict(content.pop("model"))
    optimizer = torch.optim.Adam(surface_parameters(model), lr=how.rate)
    optimizer.load_state_dict(content.pop("optimizer"))
    return Run(sizes, how, model, optimizer, **content)


def save_run(path: Path, run: Run) -> None:
    """Write a checkpoint beside the former one, then put it in its place."""
    content = {
        "sizes": asdict(run.sizes),
        "how": asdict(run.how),
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "mean": run.mean,
        "scale": run.scale,
        "step": run.step,
        "spent": run.spent,
    }
    new = path.with_suffix(".new")
    torch.save(content, new)
    new.replace(path)


def fit(run: Run, cars: list[Car]) -> Iterator[tuple[Run, float]]:
    """Train until the budget is spent; yields the run and the loss after every step."""
    start = time.process_time() - run.spent
    while run.spent < run.how.budget:
        for group in run.optimizer.param_groups:
            left = 0.5 * (1 + math.cos(math.pi * run.spent / run.how.budget))
            group["lr"] = run.how.rate * left
        # Draws depend on the step alone: a resumed run sees the cars in the same order.
        epoch, place = divmod(run.step, len(cars))
        car = cars[np.random.default_rng([run.how.seed, epoch]).permutation(len(cars))[place]]
        loss = train_step(run, car, np.random.default_rng([run.how.seed, epoch, place]))
        run = replace(run, step=run.step + 1, spent=time.process_time() - start)
        yield run, loss


def train_step(run: Run, car: Car, rng: np.random.Generator) -> float:
    """One step on one car; returns the loss before it."""
    share = car.areas.astype(np.float64)
    cells = rng.choice(len(share), run.sizes.surface_points, p=share / share.sum())
    with torch.autocast("cpu", torch.bfloat16, enabled=run.how.bf16):
        _, answer = run.model(inputs(car, cells, run.sizes, rng))
    target = (torch.from_numpy(car.fields[cells]) - run.mean) / run.scale
    error = answer[0].float() - target
    force = force_error(error * run.scale, car, cells)
    loss = error.square().mean() + run.how.integral * force[[0, 2]].square().sum()
    run.optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), run.how.clip)
    run.optimizer.step()
    return float(loss.detach())


def force_error(error: Tensor, car: Car, cells: Indices) -> Tensor:
    """Error of the force coefficients, (3,), from errors of the fields at cells drawn by area."""
    traction = -error[:, :1] * torch.from_numpy(car.normals[cells]) - error[:, 1:]
    return 2 * float(car.areas.sum()) / car.reference_area * traction.mean(0)


# ---------------------------------------------------------------------------------- evaluation
@torch.inference_mode()
def predict(run: Run, car: Car) -> Array:
    """Cp and Cf at every cell of a car, (cells, 4); in fp32, whatever the training took."""
    cells = np.arange(len(car.areas))
    _, answer = run.model(inputs(car, cells, run.sizes, np.random.default_rng(car.number)))
    return np.asarray((answer[0] * run.scale + run.mean).numpy())


def energies(car: Car, fields: Array) -> NDArray[np.float64]:
    """Integrals of Cp² and |Cf|² over the surface, (2,)."""
    squares = fields.astype(np.float64) ** 2
    return np.asarray(car.areas @ np.column_stack([squares[:, 0], squares[:, 1:].sum(1)]))


def errors(run: Run, cars: list[Car]) -> dict[str, object]:
    """Area-weighted relative L2 of Cp and Cf, per car and pooled, and R2 of the coefficients."""
    start = time.process_time()
    answers = [predict(run, car) for car in cars]
    seconds = (time.process_time() - start) / len(cars)
    pairs = list(zip(cars, answers, strict=True))
    wrong = np.array([energies(car, answer - car.fields) for car, answer in pairs])
    size = np.array([energies(car, car.fields) for car in cars])
    truth = np.array([car.force(car.fields) for car in cars])[:, [0, 2]]
    force = np.array([car.force(answer) for car, answer in pairs])[:, [0, 2]]
    missed = ((truth - force) ** 2).sum(0) / ((truth - truth.mean(0)) ** 2).sum(0)
    per_car = np.sqrt(wrong / size)
    rows = np.column_stack([per_car, truth, force]).round(4).tolist()
    return {
        "num_cars": len(cars),
        "rel_l2": named(np.sqrt(wrong.sum(0) / size.sum(0)), "cp", "cf"),
        "rel_l2_mean_of_cars": named(per_car.mean(0), "cp", "cf"),
        "r2": named(1 - missed, "cd", "cl"),
        "mean_abs_error": named(np.abs(truth - force).mean(0), "cd", "cl"),
        "predict_seconds_per_car": round(seconds, 3),
        "columns": ["rel_l2_cp", "rel_l2_cf", "cd", "cl", "predicted_cd", "predicted_cl"],
        "cars": {f"car_{car.number}": row for car, row in zip(cars, rows, strict=True)},
    }


def named(values: NDArray[np.float64], *names: str) -> dict[str, float]:
    return {name: round(float(v), 4) for name, v in zip(names, values, strict=True)}


# ------------------------------------------------------------------------------------ commands
def run_train(args: argparse.Namespace) -> dict[str, object]:
    """Train for a budget, or go on where a checkpoint stands; errors on the validation cars."""
    if args.checkpoint.exists():
        run = load_run(args.checkpoint)
        cars = load_cars(args.train, run.sizes.grid, args)
    else:
        sizes = Sizes(width=args.width, surface_points=args.points)
        how = Training(args.budget, rate=args.rate, integral=args.integral, seed=args.seed)
        cars = load_cars(args.train, sizes.grid, args)
        run = fresh_run(sizes, how, cars)
    known = load_cars(args.validation, run.sizes.grid, args)
    recent, logged, saved = [], run.spent, run.spent
    for state, loss in fit(run, cars):
        run = state
        recent.append(loss)
        if run.spent - logged > run.how.budget / 40:
            line = f"{run.spent:7.0f} s  step {run.step:6d}  loss {np.mean(recent):.4f}"
            print(line, file=sys.stderr, flush=True)
            recent, logged = [], run.spent
        if run.spent - saved > 120:
            save_run(args.checkpoint, run)
            saved = run.spent
    save_run(args.checkpoint, run)
    return described(run) | {"train_cars": len(cars), "validation": errors(run, known)}


def run_evaluate(args: argparse.Namespace) -> dict[str, object]:
    """Errors of a checkpoint on the test cars."""
    run = load_run(args.checkpoint)
    return described(run) | {"test": errors(run, load_cars(args.test, run.sizes.grid, args))}


def described(run: Run) -> dict[str, object]:
    return {
        "sizes": asdict(run.sizes),
        "training": asdict(run.how),
        "parameters": sum(p.numel() for p in surface_parameters(run.model)),
        "steps": run.step,
        "train_cpu_seconds": round(run.spent, 1),
    }


def run_time(args: argparse.Namespace) -> dict[str, object]:
    """From an STL file to a solution at points on it: published sizes, random weights."""
    # The first call loads the kernel of the signed distance, which is not counted.
    signed_distance(trimesh.creation.box(), HALF_BOX, (4, 4, 4))
    rows = {}
    for stencil in (PUBLISHED.stencil, 1):
        sizes = replace(PUBLISHED, stencil=stencil, surface_points=args.points)
        rows[f"stencil_{stencil}"] = answer_seconds(args.stl, sizes)
    return {"points": args.points, "seconds": rows}


def answer_seconds(stl: Path, sizes: Sizes) -> dict[str, float]:
    """CPU seconds of each part of one answer: whole body, points drawn by area."""
    torch.manual_seed(0)
    model = build(sizes).eval()
    clock = [time.process_time()]
    mesh = read_mesh(stl)
    count = max(sizes.surface_points, sizes.geometry_points)
    xyz, faces = trimesh.sample.sample_surface(mesh, count, seed=0)
    box = (mesh.bounds + np.array([[-0.1], [0.1]])).astype(np.float32)
    clock.append(time.process_time())
    distance = signed_distance(mesh, box, sizes.grid)
    clock.append(time.process_time())
    car = Car(
        number=0,
        box=box,
        points=scaled(xyz, box),
        normals=mesh.face_normals[faces].astype(np.float32),
        areas=np.full(count, mesh.area / count, dtype=np.float32),
        fields=np.zeros((count, 4), dtype=np.float32),
        neighbors=cKDTree(xyz).query(xyz, k=STORED_NEIGHBORS)[1],
        distance=distance,
        geometry=xyz.astype(np.float32),
        center=scaled(surface_center(mesh), box),
        speed=REFERENCE_SPEED,
        reference_area=1.0,
    )
    batch = inputs(car, np.arange(sizes.surface_points), sizes, np.random.default_rng(0))
    clock.append(time.process_time())
    with torch.inference_mode():
        model(batch)
    clock.append(time.process_time())
    seconds = np.array([*np.diff(clock), clock[-1] - clock[0]])
    return named(seconds, "read_and_sample", "signed_distance", "neighbors", "forward", "total")


def machine() -> dict[str, object]:
    cpus = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.*)", cpus.read_text()) if cpus.exists() else []
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "physicsnemo": physicsnemo.__version__,
        "warp": warp.__version__,
    }


def parser() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = words.add_subparsers(required=True)
    clock = commands.add_parser("time", help="CPU seconds of one answer at the published sizes")
    clock.add_argument("stl", type=Path)
    clock.add_argument("--points", type=int, default=20_000)
    clock.set_defaults(run=run_time)
    train = commands.add_parser("train", help="train for a budget")
    train.add_argument("--budget", type=float, default=3600.0, help="CPU seconds")
    train.add_argument("--train", default="1-799", help="numbers of the training cars")
    train.add_argument("--validation", default="801-899", help="numbers of the validation cars")
    train.add_argument("--width", type=int, default=Sizes.width)
    train.add_argument("--points", type=int, default=Sizes.surface_points, help="cells a step")
    train.add_argument("--rate", type=float, default=Training.rate)
    train.add_argument("--integral", type=float, default=Training.integral)
    train.add_argument("--seed", type=int, default=Training.seed)
    train.set_defaults(run=run_train)
    evaluate = commands.add_parser("evaluate", help="errors of a checkpoint on the test cars")
    evaluate.add_argument("--test", default="901-920", help="numbers of the test cars")
    evaluate.set_defaults(run=run_evaluate)
    for command in (train, evaluate):
        command.add_argument("cars", type=Path, help="folder of car_N.npz")
        command.add_argument("checkpoint", type=Path, help="if it exists, train resumes it as is")
        command.add_argument("--cache", type=Path, default=Path.home() / "peer_cache")
        command.add_argument("--geometry", type=Path, help="geometry.py, for cars without STL")
    return words


def main() -> None:
    args = parser().parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    result = args.run(args)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    head = {"command": " ".join(sys.argv), "machine": machine(), "peak_rss_gib": round(peak, 2)}
    print(json.dumps(head | result))


if __name__ == "__main__":
    main()
