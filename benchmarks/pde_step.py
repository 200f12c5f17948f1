"""What a training step of a physics-informed network costs: ours, PhysicsNeMo's and DeepXDE's.

    export OMP_NUM_THREADS=1
    python benchmarks/pde_step.py ours
    peer-sym/bin/python benchmarks/pde_step.py physicsnemo-sym
    peer/bin/python benchmarks/pde_step.py physicsnemo
    DDE_BACKEND=pytorch peer/bin/python benchmarks/pde_step.py deepxde

and all of them, in turns, into one file:

    python benchmarks/pde_step.py all --sym peer-sym/bin/python --peer peer/bin/python \
        --out benchmarks/results/pde_step.json

One problem for all: the lid-driven cavity of PhysicsNeMo Sym (`pde_sym`), 0.1 wide, nu = 0.01:
4,000 points inside, 1,000 on the lid and 1,000 on the other walls, three fields from a plain
network of 6 x 512 (Sym's default, here without its weight normalization) or 4 x 64 with SiLU, Adam.
A step draws points, differentiates, goes backward and updates. Seconds are CPU seconds of the
process, of each step after the second. The loss is Sym's, integrals of squared residuals that are
weighted by the distance to the walls inside and by 1 - 20|x| on the lid; DeepXDE has no weights
that depend on the place.

Ours are steps of the trainer that `ansatz train` uses, one row for each way of derivatives,
precision and compilation. Sym's are those of its own `Solver`, with its nested reverse
differentiation (`autodiff`), its `func_arch` and its finite differences (`mfd`), points drawn
beforehand. PhysicsNeMo 2 has no constraints and no training loop any more: its equations
(`PhysicsInformer`) are put into a loop by hand, as in its own example. DeepXDE evaluates the
equations at the boundary points as well.

The error of each row is that of its residuals inside, relative L2, against nested reverse
differentiation in float64 of the same weights at the same points.

    python3.11 -m venv peer && peer/bin/pip install torch==2.13.0
    peer/bin/pip install -c <(echo torch==2.13.0) nvidia-physicsnemo==2.2.2 deepxde==1.15.0

How Sym is installed, `pde_sym` says.
"""

import argparse
import copy
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from side_by_side import Row, rows

INSIDE, WALL, HALF, VISCOSITY = 4000, 1000, 0.05, 0.01
WARM = 2  # steps that are not counted
NETWORKS = {"6x512": (512, 6), "4x64": (64, 4)}
VARIANTS = (
    ("autodiff", "fp32", False),
    ("mfd", "fp32", False),
    ("taylor", "fp32", False),
    ("taylor", "bf16", False),
    ("taylor", "fp32", True),
    ("taylor", "bf16", True),
)
PACKAGES = {
    "ours": "ansatz-ai",
    "physicsnemo-sym": "nvidia-physicsnemo.sym",
    "physicsnemo": "nvidia-physicsnemo",
    "deepxde": "deepxde",
}
KEYS = ("network", "library", "derivatives", "precision", "mode")


def timed(step: Callable[[], object], count: int) -> list[float]:
    """CPU seconds of steps, after the first ones."""
    for _ in range(WARM):
        step()
    seconds = []
    for _ in range(count):
        began = time.process_time()
        step()
        seconds.append(time.process_time() - began)
    return seconds


def problem() -> Any:
    """The cavity with Sym's loss, in our words."""
    import sympy

    from ansatz import pde

    x, y = pde.coordinates("x y")
    u, v, p = pde.fields("u v p", x, y)
    box = pde.rectangle((-HALF, -HALF), (HALF, HALF))
    flow, lid, walls = 4 * HALF**2, 2 * HALF, 6 * HALF  # areas
    equations = pde.navier_stokes((u, v), p, VISCOSITY)
    return pde.Problem(
        (u, v, p),
        {
            "flow": pde.Inside(box, equations, INSIDE, flow * pde.DISTANCE),
            "lid": pde.On(
                box,
                {u: 1, v: 0},
                WALL,
                {"u": lid * (1 - 20 * sympy.Abs(x)), "v": lid},
                where=pde.equal(y, HALF),
            ),
            "walls": pde.On(box, {u: 0, v: 0}, WALL, walls, where=y < HALF),
        },
    )


def ours(width: int, depth: int, count: int) -> Iterator[Row]:
    """A row for each variant."""
    from ansatz import pde
    from ansatz.core.recipe import Position, TrainConfig
    from ansatz.pde.collocation import collocation
    from ansatz.pde.trial import TrialConfig
    from ansatz.trainer.loop import fit

    cavity = problem()
    network = pde.Network(width=width, depth=depth, activation="silu")
    points = collocation(cavity)

    def trial(way: Any) -> Any:
        torch.manual_seed(0)
        return TrialConfig(cavity, network, way).build()

    def inside(model: Any, bare: Any) -> torch.Tensor:
        found = model(points(Position(0, 0), bare))
        return torch.cat([r.detach().double() for n, r in found.items() if n.startswith("flow")])

    reference = trial("autodiff").double()
    exact = inside(reference, reference)
    for way, precision, is_compiled in VARIANTS:
        config = TrainConfig(
            steps=10**6,
            warmup_steps=0,
            precision=precision,  # type: ignore[arg-type]
            compile=is_compiled,
            clip_norm=0.5,
            log_every=10**6,
        )
        began = time.process_time()
        steps = fit(trial(way), pde.MeanSquares(), points, config, device=torch.device("cpu"))
        form = next(steps).training.step
        first = time.process_time() - began
        seconds = timed(lambda steps=steps: next(steps), count)  # type: ignore[misc]
        fresh = trial(way)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            found = inside(torch.compile(fresh) if is_compiled else fresh, fresh)
        yield {
            "derivatives": way,
            "precision": precision,
            "mode": form.mode,
            "seconds": seconds,
            "first_step_seconds": round(first, 1),
            "residual_error": relative(found, exact),
        }


def sym(width: int, depth: int, count: int) -> Iterator[Row]:
    """Steps of Sym's own solver, from one question whether to stop to the next."""
    import pde_sym

    places = HALF * (2 * torch.rand(INSIDE, 2) - 1)
    for way in ("autodiff", "func_arch", "mfd"):
        with tempfile.TemporaryDirectory() as folder:
            cavity = pde_sym.cavity(
                Path(folder),
                way=way,
                width=width,
                depth=depth,
                is_normalized=False,
                batches=WARM + count,
            )
            exact = exact_residuals(cavity.fields, cavity.network, places)
            error = relative(cavity.residuals(places), exact)
            clock: list[float] = []

            def stop(step: int, clock: list[float] = clock) -> bool:
                clock.append(time.process_time())
                return step == WARM + count

            pde_sym.until(stop, cavity)
        seconds = [end - start for start, end in pairwise(clock)]
        yield {"derivatives": way, "seconds": seconds[WARM:], "residual_error": error}


def exact_residuals(
    fields: Callable[[torch.Tensor], torch.Tensor], network: torch.nn.Module, places: torch.Tensor
) -> torch.Tensor:
    """The equations by nested reverse differentiation in float64, shape (points, 3).

    Args:
        fields: U, v and p at places, by the network.
        network: Left as it was.
        places: Shape (points, 2).
    """
    weights = copy.deepcopy(network.state_dict())
    network.double()
    place = places.double().requires_grad_()
    u, v, p = fields(place).unbind(1)

    def slope(f: torch.Tensor) -> list[torch.Tensor]:
        return list(torch.autograd.grad(f.sum(), place, create_graph=True)[0].unbind(1))

    du, dv, dp = slope(u), slope(v), slope(p)
    found = [du[0] + dv[1]]
    for d, axis in ((du, 0), (dv, 1)):
        spread = slope(d[0])[0] + slope(d[1])[1]
        found.append(u * d[0] + v * d[1] + dp[axis] - VISCOSITY * spread)
    network.float().load_state_dict(weights)
    return torch.stack(found, 1).detach()


def relative(found: torch.Tensor, exact: torch.Tensor) -> float:
    """The relative L2 difference, in two digits."""
    return float(f"{float((found.double() - exact).norm() / exact.norm()):.2g}")


def physicsnemo(width: int, depth: int, count: int) -> Iterator[Row]:
    """The equations that are left of Sym, in a loop by hand."""
    from physicsnemo.sym.eq.phy_informer import PhysicsInformer

    network = layers(width, depth)
    names = ["mass", "momentum_x", "momentum_y"]
    informer = PhysicsInformer(names, flow(), "autodiff")
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)

    def residuals(place: torch.Tensor) -> torch.Tensor:
        place.requires_grad_()
        u, v, p = network(place).split(1, 1)
        found = informer.forward({"coordinates": place, "u": u, "v": v, "p": p})
        return torch.cat([found[name] for name in names], 1)

    def step() -> None:
        optimizer.zero_grad()
        place = HALF * (2 * torch.rand(INSIDE, 2) - 1)
        distance = HALF - place.abs().amax(1, keepdim=True)
        x = HALF * (2 * torch.rand(WALL) - 1)
        lid = torch.stack([x, torch.full((WALL,), HALF)], 1)
        on_lid, on_walls = network(torch.cat([lid, walls(WALL)]))[:, :2].split(WALL)
        loss = 0.01 * (distance * residuals(place) ** 2).mean(0).sum()
        loss = loss + 0.1 * ((1 - 20 * x.abs()) * (on_lid[:, 0] - 1) ** 2).mean()
        loss = loss + 0.1 * (on_lid[:, 1] ** 2).mean() + 0.3 * (on_walls**2).mean(0).sum()
        loss.backward()
        optimizer.step()

    places = HALF * (2 * torch.rand(INSIDE, 2) - 1)
    exact = exact_residuals(network, network, places)
    error = relative(residuals(places).detach(), exact)
    yield {"derivatives": "autodiff", "seconds": timed(step, count), "residual_error": error}


def flow() -> Any:
    """Steady flow in the words of PhysicsNeMo 2."""
    from physicsnemo.sym.eq.pde import PDE
    from sympy import Function, Symbol

    class Flow(PDE):  # type: ignore[misc]
        def __init__(self) -> None:
            self.dim = 2
            x, y = Symbol("x"), Symbol("y")
            u, v, p = (Function(name)(x, y) for name in "uvp")

            def momentum(f: Any, axis: Symbol) -> Any:
                spread = f.diff(x, 2) + f.diff(y, 2)
                return u * f.diff(x) + v * f.diff(y) + p.diff(axis) - VISCOSITY * spread

            self.equations = {
                "mass": u.diff(x) + v.diff(y),
                "momentum_x": momentum(u, x),
                "momentum_y": momentum(v, y),
            }

    return Flow()


def walls(count: int) -> torch.Tensor:
    """Points on the three walls at rest."""
    along, across = HALF * (2 * torch.rand(count) - 1), torch.full((count,), HALF)
    places = (
        torch.stack([along, -across], 1),
        torch.stack([across, along], 1),
        torch.stack([-across, along], 1),
    )
    return torch.stack(places)[torch.randint(3, (count,)), torch.arange(count)]


def deepxde(width: int, depth: int, count: int) -> Iterator[Row]:
    """DeepXDE's model and training loop, timed by its callbacks."""
    import deepxde as dde

    def equations(x: object, y: torch.Tensor) -> list[object]:
        def first(i: int, j: int) -> Any:
            return dde.grad.jacobian(y, x, i=i, j=j)

        def second(i: int) -> Any:
            parts = [dde.grad.hessian(y, x, component=i, i=j, j=j) for j in (0, 1)]
            return parts[0] + parts[1]

        u, v = y[:, :1], y[:, 1:2]
        carried = [u * first(i, 0) + v * first(i, 1) for i in (0, 1)]
        momenta = [carried[i] + first(2, i) - VISCOSITY * second(i) for i in (0, 1)]
        return [first(0, 0) + first(1, 1), *momenta]

    square = dde.geometry.Rectangle([-HALF, -HALF], [HALF, HALF])

    def lid(x: list[float], on: bool) -> bool:
        return on and abs(x[1] - HALF) < 1e-8

    def rest(x: list[float], on: bool) -> bool:
        return on and not abs(x[1] - HALF) < 1e-8

    def constant(value: float) -> Callable[[object], float]:
        # A function of one argument: DeepXDE would give a second one its auxiliary variables.
        return lambda x: value

    conditions = [
        dde.icbc.DirichletBC(square, constant(value), where, component=component)
        for where, component, value in (
            (lid, 0, 1.0),
            (lid, 1, 0.0),
            (rest, 0, 0.0),
            (rest, 1, 0.0),
        )
    ]
    data = dde.data.PDE(square, equations, conditions, INSIDE, 2 * WALL)
    network = dde.nn.FNN([2, *[width] * depth, 3], "silu", "Glorot uniform")
    model = dde.Model(data, network)
    model.compile("adam", lr=1e-3)
    seconds: list[float] = []

    class Clock(dde.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self) -> None:
            self.began = time.process_time()

        def on_epoch_end(self) -> None:
            seconds.append(time.process_time() - self.began)

    places = HALF * (2 * torch.rand(INSIDE, 2) - 1)
    columns = map(torch.from_numpy, model.predict(places.numpy(), operator=equations))
    found = torch.cat(list(columns), 1)
    exact = exact_residuals(network, network, places)
    model.train(iterations=count + WARM, display_every=10**9, callbacks=[Clock()], verbose=0)
    error = relative(found, exact)
    yield {"derivatives": "autodiff", "seconds": seconds[WARM:], "residual_error": error}


def layers(width: int, depth: int) -> torch.nn.Module:
    """A plain network with SiLU."""
    hidden = [m for _ in range(depth - 1) for m in (torch.nn.Linear(width, width), torch.nn.SiLU())]
    first = torch.nn.Linear(2, width)
    return torch.nn.Sequential(first, torch.nn.SiLU(), *hidden, torch.nn.Linear(width, 3))


LIBRARIES = {"ours": ours, "physicsnemo-sym": sym, "physicsnemo": physicsnemo, "deepxde": deepxde}


def side_by_side(options: argparse.Namespace) -> Row:
    """Every library in turn, as often as there are rounds, and what came of it."""
    from ansatz.core.artifacts import machine, versions

    pythons = {"ours": sys.executable, "physicsnemo-sym": options.sym}
    pythons |= {"physicsnemo": options.peer, "deepxde": options.peer}
    commands = [
        [python, "benchmarks/pde_step.py", library, "--networks", network, *steps(options.count)]
        for network in options.networks
        for library, python in pythons.items()
        if python
    ]
    found: list[Row] = []
    for number in range(options.rounds):
        for command in commands:
            for row in rows(command):
                print(json.dumps({"round": number} | row), flush=True)
                found.append(row)
    return {
        "command": " ".join(["python", *sys.argv]),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
        "threads": 1,
        "rounds": options.rounds,
        "runs": [" ".join(command) for command in commands],
        "rows": compared(found),
    }


def steps(count: int | None) -> list[str]:
    """The option that says how many steps are timed."""
    return [] if count is None else ["--count", str(count)]


def commit() -> str:
    """Of the working tree; `+` if files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def compared(found: list[Row]) -> list[Row]:
    """A row for each thing timed, over all rounds, and how many times as long Sym takes."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in found:
        groups.setdefault(tuple(row.get(key) for key in KEYS), []).append(row)
    merged = [summary(group) for group in groups.values()]
    for row in merged:
        for way in ("autodiff", "mfd"):
            peers = [
                peer
                for peer in merged
                if (peer["library"], peer["derivatives"]) == ("physicsnemo-sym", way)
                and peer["network"] == row["network"]
            ]
            for peer in peers:
                row[f"sym_{way}_over_this"] = {
                    which: round(peer[which] / row[which], 2) for which in ("least", "median")
                }
    return merged


def summary(group: list[Row]) -> dict[str, Any]:
    """One row of several rounds: least and median of the seconds of all their steps."""
    seconds = [second for row in group for second in row["seconds"]]  # type: ignore[attr-defined]
    kept = {key: value for key, value in group[0].items() if key != "seconds"}
    times = {"least": min(seconds), "median": statistics.median(seconds)}
    rounded = {which: float(f"{value:.4g}") for which, value in times.items()}
    return kept | rounded | {"steps": len(seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("library", choices=[*LIBRARIES, "all"])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--count", type=int, help="steps that are timed; default: 3 and 40")
    parser.add_argument("--rounds", type=int, default=5, help="of all libraries")
    parser.add_argument("--sym", help="python that has PhysicsNeMo Sym")
    parser.add_argument("--peer", help="python that has PhysicsNeMo 2 and DeepXDE")
    parser.add_argument("--out", type=Path, help="file for the results of all")
    options = parser.parse_args()
    if options.library == "all":
        text = json.dumps(side_by_side(options), indent=1)
        if options.out:
            options.out.write_text(text + "\n")
        return
    torch.set_num_threads(1)
    for name in options.networks:
        width, depth = NETWORKS[name]
        torch.manual_seed(0)
        about: Row = {"network": name, "library": options.library}
        about |= {"version": version(PACKAGES[options.library]), "torch": torch.__version__}
        about |= {"python": platform.python_version(), "threads": torch.get_num_threads()}
        for row in LIBRARIES[options.library](width, depth, options.count or (3, 40)[width < 100]):
            print(json.dumps(about | row), flush=True)


if __name__ == "__main__":
    main()
