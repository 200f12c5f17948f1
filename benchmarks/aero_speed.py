"""How long a car takes, and how much memory a large mesh needs: the speed of `aero/cars`.

    OMP_NUM_THREADS=1 python benchmarks/aero_speed.py > benchmarks/results/aero_speed.json

One thread, CPU seconds, the shipped checkpoint, test car 901, everything from the STL file to
forces and fields. Beside each time stands the error of the drag against the same prediction in
float32. The peer is timed by `benchmarks/aero_domino.py time` on the same file.
"""

import json
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
import torch

import ansatz
from ansatz.aero.body import LONGEST, SAMPLE, measure, wetted_cells
from ansatz.aero.car import CarRequest
from ansatz.aero.cloud import splat
from ansatz.aero.evaluation import features
from ansatz.aero.folding import fold
from ansatz.aero.geometry.parametric import car_solids, sample_car
from ansatz.aero.geometry.symmetry import asymmetry
from ansatz.aero.surface import Surface, triangle_surface
from ansatz.core.artifacts import machine, versions
from ansatz.engine.surrogate import Surrogate
from ansatz.mesh.solids import frontal_area, merged
from ansatz.mesh.stl import Solid, read_stl, write_stl

LARGE = 8_800_000  # cells of a DrivAerML surface
REPEATS = 5


def seconds(call: object) -> tuple[float, object]:
    """The least CPU seconds of repeated calls, after one to warm up, and the last result."""
    assert callable(call)
    call()
    times = []
    for _ in range(REPEATS):
        began = process_time()
        result = call()
        times.append(process_time() - began)
    return min(times), result


def reading(folder: Path) -> dict[str, float]:
    """Reading a binary STL of a million triangles, 50 MB."""
    car = np.concatenate([solid.triangles for solid in car_solids(sample_car(901))])
    path = folder / "large.stl"
    write_stl(path, [Solid("large", np.resize(car, (1_000_000, 3, 3)))])
    time, _ = seconds(lambda: read_stl(path))
    return {"megabytes": path.stat().st_size / 1e6, "cpu_seconds": time}


def predicting(folder: Path) -> list[dict[str, object]]:
    """From an STL file to forces and fields, per precision."""
    path = folder / "car_901.stl"
    write_stl(path, car_solids(sample_car(901)))
    rows: list[dict[str, object]] = []
    for precision in ("fp32", "bf16"):
        model = ansatz.load("aero/cars", {"precision": precision})
        time, answer = seconds(lambda model=model: model(CarRequest(path)))
        encoded = model.encode(CarRequest(path))
        drag = answer.loads.coefficients["cd"]  # type: ignore[attr-defined]
        rows.append(
            {
                "precision": precision,
                "arithmetic": model.arithmetic,
                "surface_points": len(encoded.tensors["places"]),
                "cpu_seconds": time,
                "stages": stages(model, path),
                "cd": drag,
                "cd_difference_to_fp32": drag - (rows[0]["cd"] if rows else drag),
            }
        )
    return rows


def stages(model: Surrogate, path: Path) -> dict[str, float]:
    """CPU seconds of the steps of a prediction; those set off by a dot are parts of the last."""
    encoded = model.encode(CarRequest(path))
    tensors, body = encoded.tensors, encoded.context.body
    solids = read_stl(path)
    outputs = model.forward(tensors)
    points, normals = tensors["cells_points"], tensors["cells_normals"]
    steps = {
        "encode": lambda: model.encode(CarRequest(path)),
        ".read": lambda: read_stl(path),
        ".measure": lambda: measure(solids),
        ".symmetry": lambda: asymmetry(merged(solids), axis=1),
        ".cells": lambda: wetted_cells(solids, body.frame.ground, LONGEST * body.frame.length),
        ".sample": lambda: wetted_cells(solids, body.frame.ground, SAMPLE * body.frame.length),
        ".frontal_area": lambda: frontal_area(solids, body.frame.ground),
        ".fold": lambda: fold(body, body.cells.centers, body.cells.normals),
        ".splat": lambda: splat(body.half(1)),
        "forward": lambda: model.forward(tensors),
        ".features": lambda: features(tensors, 0, points, normals),
        "decode": lambda: model.decode(outputs, encoded),
    }
    return {name: seconds(step)[0] for name, step in steps.items()}


def large_surface() -> dict[str, float]:
    """Fields on 8.8 million cells; meant for a process of its own, for its memory."""
    torch.set_num_threads(1)
    solids = car_solids(sample_car(901))
    cells = triangle_surface(torch.from_numpy(np.concatenate([s.triangles for s in solids])))
    rng = torch.Generator().manual_seed(0)
    index = torch.randint(len(cells), (LARGE,), generator=rng)
    spread = 0.01 * torch.rand(LARGE, 3, generator=rng)
    surface = Surface(cells.centers[index] + spread, cells.normals[index], cells.areas[index])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "car_901.stl"
        write_stl(path, solids)
        model = ansatz.load("aero/cars", {"precision": "bf16"})
        began = process_time()
        answer = model(replace(CarRequest(path), cells=surface))
        time = process_time() - began
    assert len(answer.pressure) == LARGE  # type: ignore[attr-defined]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"cells": LARGE, "cpu_seconds": time, "peak_gib": peak}


def main() -> None:
    """Run all parts and print one JSON object."""
    if sys.argv[1:] == ["large"]:
        print(json.dumps(large_surface()))
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result = {
            "command": "OMP_NUM_THREADS=1 python benchmarks/aero_speed.py",
            "machine": machine(),
            "versions": versions(),
            "threads": torch.get_num_threads(),
            "read_stl": reading(folder),
            "predict": predicting(folder),
        }
    own = [sys.executable, __file__, "large"]
    result["large_surface"] = json.loads(
        subprocess.run(own, check=True, capture_output=True).stdout
    )
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
