"""PhysicsNeMo Sym 2.4.0 on a CPU: how it is installed, and its cavity, through its own interface.

Its setup always builds a CUDA extension, which nothing here needs, and stops where torch has no
CUDA. It reads the version of CUDA and the builder from torch: while it is installed, a stand-in for
torch gives it both, and builds nothing.

    python3.11 -m venv peer-sym && peer-sym/bin/pip install torch==2.13.0 setuptools wheel
    peer-sym/bin/pip install -c <(echo torch==2.13.0) nvidia-physicsnemo==2.0.0 pint symengine \
        tensorboard matplotlib scikit-learn transforms3d torch-optimizer numpy-stl vtk \
        warp-lang==1.11.0 torchvision==0.28.0
    peer-sym/bin/pip install --no-deps chaospy numpoly==1.3.4
    mkdir -p stand-in/torch/utils && touch stand-in/torch/utils/__init__.py
    echo 'class version: cuda = "12.0"' > stand-in/torch/__init__.py
    cat > stand-in/torch/utils/cpp_extension.py <<END
    from setuptools import Extension
    from setuptools.command.build_ext import build_ext
    def CUDAExtension(name, **options): return Extension(name, [])
    class BuildExtension(build_ext):
        with_options = classmethod(lambda kind, **options: kind)
        def run(self): pass
    END
    PYTHONPATH=stand-in peer-sym/bin/pip install --no-deps --no-build-isolation \
        nvidia-physicsnemo.sym==2.4.0

It marks ranges for NVIDIA's profiler in every step, which torch for CPUs refuses: two functions of
`torch.cuda.nvtx` are replaced below by ones that do nothing. PhysicsNeMo imports timm, timm imports
torchvision, and PyPI's torchvision is for CUDA: without, it stops at two operators that it
cannot find, which are declared below and never called. No file of Sym is changed.

The cavity is that of its example `examples/ldc`: 0.1 wide, 4,000 points inside, 1,000 on the lid
and 1,000 on the other walls, residuals weighted by the distance to the walls, the lid by
1 - 20|x|, Adam at 1e-3 that falls by 0.95 every 4,000 steps, gradients clipped to 0.5, 6 x 512 with
SiLU and weight normalization. TorchScript and CUDA graphs are off, as they are for any torch but
one, and on any CPU.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

WIDTH = 0.1
INSIDE, WALL = 4000, 1000
EQUATIONS = ("continuity", "momentum_x", "momentum_y")

for operator in ("nms", "qnms"):
    torch.library.define(f"torchvision::{operator}", "(Tensor a, Tensor b, float c) -> Tensor")
torch.cuda.nvtx.range_push = lambda *_: None
torch.cuda.nvtx.range_pop = lambda *_: None

Way = Literal["autodiff", "func_arch", "mfd"]


@dataclass(frozen=True)
class Cavity:
    """Sym's cavity, ready to be solved.

    Attributes:
        network: Takes and gives columns by name.
        nodes: Equations, network and, for `mfd`, derivatives.
        solver: Sym's, whose `solve(sigterm_handler=...)` asks before each step whether to stop.
    """

    network: Any
    nodes: list[Any]
    solver: Any

    def fields(self, place: torch.Tensor) -> torch.Tensor:
        """U, v and p, shape (points, 3), at places, shape (points, 2)."""
        found = self.network({"x": place[:, :1], "y": place[:, 1:]})
        return torch.cat([found[name] for name in "uvp"], 1)

    def residuals(self, place: torch.Tensor) -> torch.Tensor:
        """The three equations by Sym's graph, shape (points, 3)."""
        from physicsnemo.sym.graph import Graph
        from physicsnemo.sym.key import Key

        graph = Graph(self.nodes, [Key("x"), Key("y")], [Key(name) for name in EQUATIONS])
        columns = {"x": place[:, :1], "y": place[:, 1:]}
        found = graph({name: c.clone().requires_grad_() for name, c in columns.items()})
        return torch.cat([found[name].detach() for name in EQUATIONS], 1)


def cavity(
    folder: Path,
    *,
    way: Way = "autodiff",
    width: int = 512,
    depth: int = 6,
    is_normalized: bool = True,
    viscosity: float = 0.01,
    batches: int = 1000,
    save_every: int = 1000,
) -> Cavity:
    """Set up Sym's example.

    Args:
        folder: For checkpoints; Sym goes on from those that it finds there.
        way: Of derivatives: nested reverse differentiation, `torch.func` or finite differences.
        width: Of a layer.
        depth: Number of hidden layers.
        is_normalized: Whether weights are normalized.
        viscosity: Reynolds' number is 0.1 over it.
        batches: Drawn beforehand, of each condition.
        save_every: Steps between checkpoints.
    """
    from physicsnemo.sym.hydra.utils import compose
    from physicsnemo.sym.key import Key
    from physicsnemo.sym.manager import GraphManager
    from physicsnemo.sym.models.fully_connected import FullyConnectedArch
    from physicsnemo.sym.solver import Solver

    choices = ["+scheduler=tf_exponential_lr", "+optimizer=adam", "+loss=sum", "jit=false"]
    numbers = ["scheduler.decay_rate=0.95", "scheduler.decay_steps=4000", "cuda_graphs=false"]
    often = [f"training.save_network_freq={save_every}", "training.max_steps=1000000000"]
    where = [f"network_dir={folder}"]
    settings = compose("physicsnemo_default", overrides=choices + numbers + often + where)
    GraphManager().func_arch = way == "func_arch"
    network = FullyConnectedArch(
        [Key("x"), Key("y")],
        [Key("u"), Key("v"), Key("p")],
        layer_size=width,
        nr_layers=depth,
        weight_norm=is_normalized,
    )
    nodes = _nodes(network, viscosity, way)
    return Cavity(network, nodes, Solver(settings, _domain(nodes, batches)))


def _nodes(network: Any, viscosity: float, way: Way) -> list[Any]:
    """Equations, network and derivatives."""
    from physicsnemo.sym.eq.derivatives import MeshlessFiniteDerivative
    from physicsnemo.sym.eq.pdes.navier_stokes import NavierStokes
    from physicsnemo.sym.key import Key

    equations = NavierStokes(nu=viscosity, rho=1.0, dim=2, time=False).make_nodes()
    flow = network.make_node(name="flow")
    nodes = [*equations, flow]
    if way != "mfd":
        return nodes
    sought = {str(k): k for node in equations for k in node.derivatives}.values()
    keys = [Key(k.name, size=k.size, derivatives=k.derivatives) for k in sought]
    finite = MeshlessFiniteDerivative.make_node(
        node_model=flow, derivatives=keys, dx=0.001, max_batch_size=4 * INSIDE
    )
    return [*nodes, finite]


def _domain(nodes: list[Any], batches: int) -> Any:
    """The conditions of the example."""
    from physicsnemo.sym.domain import Domain
    from physicsnemo.sym.domain.constraint import (
        PointwiseBoundaryConstraint,
        PointwiseInteriorConstraint,
    )
    from physicsnemo.sym.geometry.primitives_2d import Rectangle
    from sympy import Abs, Eq, Symbol

    x, y, half = Symbol("x"), Symbol("y"), WIDTH / 2
    given = {"nodes": nodes, "geometry": Rectangle((-half, -half), (half, half))}
    given |= {"batch_per_epoch": batches}
    conditions = {
        "lid": PointwiseBoundaryConstraint(
            **given,
            outvar={"u": 1.0, "v": 0},
            batch_size=WALL,
            lambda_weighting={"u": 1.0 - 20 * Abs(x), "v": 1.0},
            criteria=Eq(y, half),
        ),
        "walls": PointwiseBoundaryConstraint(
            **given, outvar={"u": 0, "v": 0}, batch_size=WALL, criteria=y < half
        ),
        "inside": PointwiseInteriorConstraint(
            **given,
            outvar=dict.fromkeys(EQUATIONS, 0),
            batch_size=INSIDE,
            lambda_weighting=dict.fromkeys(EQUATIONS, Symbol("sdf")),
        ),
    }
    domain = Domain()
    for name, condition in conditions.items():
        domain.add_constraint(condition, name)
    return domain


def until(stop: Callable[[int], bool], cavity: Cavity) -> None:
    """Let Sym train, from its last checkpoint, until `stop(step)` says so before a step."""
    counts = iter(range(10**9))

    def asked() -> bool:
        return stop(cavity.solver.initial_step + next(counts))

    cavity.solver.solve(sigterm_handler=asked)
