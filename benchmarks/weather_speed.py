"""CorrDiff-Mini's networks: training steps and samples, ours and NVIDIA PhysicsNeMo's.

    peer/bin/pip install annotated-types
    PYTHONPATH=src peer/bin/python benchmarks/weather_speed.py \
        --data ../shared/data/weather/uk2km_mini_train.nc \
        --out benchmarks/results/weather_speed.json

`pde_step.py` says how PhysicsNeMo is installed; h5py reads the file. Both networks have the same
weights and see the same fields of 64 x 64 cells in one process of one thread. They take turns call
by call; seconds are CPU seconds, ratios those of medians. A first call of each is not counted.

A training step goes forward, backward and takes a step of fused Adam, of the first stage (batch of
4) and of the second one, which evaluates the first without gradient. A sample takes Heun's 18 steps
from noise of 800: 35 evaluations. The second stage is not told the noise, as CorrDiff's is not.

PhysicsNeMo refuses bf16 on a CPU, since it asks whether CUDA autocasts; the benchmark lets it hear
yes. Errors are the largest difference over the largest value, of what the network says and of the
sample, against PhysicsNeMo in fp32 (`as shipped`). Its group normalization divides by n - 1 in
evaluation mode and by n in training mode; `normalized as in training` has n in both.

With `--tasks` those of an earlier run are kept in the file.
"""

import argparse
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
import h5py
import numpy as np
import torch
from torch import Tensor, nn

from ansatz.core.artifacts import command, machine
from ansatz.weather.grid import upsample
from ansatz.weather.model.config import MINI, Mean, Residual
from ansatz.weather.model.interchange import load_mean, load_residual
from ansatz.weather.model.stages import MeanStage, ResidualStage
from ansatz.weather.objective import Denoising, MeanError
from ansatz.weather.sampling.heun import heun
from ansatz.weather.sampling.schedule import noise_levels

BATCH, CELLS, STEPS = 4, 64, 18
TASKS = ("regression step", "diffusion step", "sample")
Call = Callable[[], Tensor]
MINI_SILENT = replace(MINI, embedding="zero")
NAMES = torch.library.Library("torchvision", "FRAGMENT")  # those are there as long as it is
MINI_THERE = {
    "model_channels": 64,
    "channel_mult": [1, 2, 2],
    "attn_resolutions": [16],
    "N_grid_channels": 4,
    "gridtype": "sinusoidal",
    "embedding_type": "zero",
}


def fields(path: Path) -> tuple[Tensor, Tensor]:
    """The first fields of a file in CorrDiff-Mini's layout, as z-scores: condition and truth."""
    with h5py.File(path) as file:
        coarse, fine = (stacked(file[group])[:BATCH] for group in ("input", "output"))
    coarse = upsample(coarse, fine.shape[-1] // coarse.shape[-1])
    return scored(coarse), scored(fine)


def stacked(group: Any) -> Tensor:
    """The variables of a group as channels."""
    arrays = [
        np.asarray(group[name], np.float32) for name in sorted(group) if group[name].ndim == 3
    ]
    return torch.from_numpy(np.stack(arrays, 1))


def scored(maps: Tensor) -> Tensor:
    return (maps - maps.mean((0, 2, 3), keepdim=True)) / maps.std((0, 2, 3), keepdim=True)


def peers(num_condition: int, num_outputs: int) -> tuple[Any, Any]:
    """PhysicsNeMo's regression and diffusion networks, with weights that say something."""
    from physicsnemo.diffusion.preconditioners import EDMPrecondSuperResolution
    from physicsnemo.models.diffusion_unets import CorrDiffRegressionUNet

    common = {"img_resolution": [CELLS, CELLS], "img_out_channels": num_outputs, **MINI_THERE}
    first = CorrDiffRegressionUNet(img_in_channels=num_condition + 4, **common)
    second = EDMPrecondSuperResolution(img_in_channels=num_condition + num_outputs + 4, **common)
    return stirred(first), stirred(second)


def stirred(network: nn.Module) -> nn.Module:
    """Fresh blocks add next to nothing; these add as much as trained ones."""
    generator = torch.Generator().manual_seed(1)
    for weight in network.parameters():
        if weight.ndim > 1:
            noise = torch.randn(weight.shape, generator=generator)
            weight.data.copy_(0.5 * noise / weight[0].numel() ** 0.5)
    return network


def same(first: Any, second: Any, num_condition: int, num_outputs: int) -> ResidualStage:
    """Our stages with their weights."""
    config = Residual(
        shape=MINI_SILENT,
        mean=Mean(MINI_SILENT, follows_input=False),
        sigma_data=0.5,
        num_condition=num_condition,
        num_outputs=num_outputs,
    )
    stage = config.build()
    load_mean(stage.mean, first.state_dict())
    load_residual(stage, second.state_dict())
    return stage


def step(trained: nn.Module, loss: Call) -> Call:
    """A training step."""
    weights = [p for p in trained.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=2e-4, fused=True)

    def run() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        found = loss()
        found.backward()
        optimizer.step()
        return found.detach()

    return run


def cast(call: Call, *, bf16: bool) -> Call:
    """A call under autocast."""

    def run() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return call()

    return run


def ours(stage: ResidualStage, condition: Tensor, fine: Tensor, *, bf16: bool) -> dict[str, Call]:
    """Our calls by name."""
    batch = {"condition": condition, "fine": fine, "place": torch.zeros(BATCH, 2, dtype=torch.long)}
    rng = torch.Generator()
    first: MeanStage = stage.mean.config.build()
    first.load_state_dict(stage.mean.state_dict())
    second, sampled = copied(stage).train(), copied(stage).eval()
    objective = Denoising(log_mean=0.0)

    def sample() -> Tensor:
        with torch.inference_mode():
            mean = sampled.mean_of(condition[:1])
            levels = noise_levels(STEPS, low=0.002, high=800.0, curvature=7.0)
            return heun(
                lambda x, sigma: sampled.denoise(x, sigma, condition[:1], mean), start(fine), levels
            )

    return {
        "regression step": step(
            first.train(), cast(lambda: MeanError()(first, batch, rng).total, bf16=bf16)
        ),
        "diffusion step": step(
            second, cast(lambda: objective(second, batch, rng).total, bf16=bf16)
        ),
        "sample": cast(sample, bf16=bf16),
    }


def copied(stage: ResidualStage) -> ResidualStage:
    made = stage.config.build()
    made.load_state_dict(stage.state_dict())
    return made


def theirs(
    first: Any, second: Any, condition: Tensor, fine: Tensor, *, bf16: bool
) -> dict[str, Call]:
    """PhysicsNeMo's calls by name."""
    from physicsnemo.diffusion.metrics.legacy_losses import RegressionLoss, ResidualLoss
    from physicsnemo.diffusion.samplers.legacy_stochastic_sampler import stochastic_sampler

    def built(source: tuple[Any, Any]) -> tuple[Any, Any]:
        pair = peers(condition.shape[1], fine.shape[1])
        for made, given in zip(pair, source, strict=True):
            made.load_state_dict(given.state_dict())
            made.amp_mode = bf16
        return pair

    trained, (_, taught), (frozen, sampled) = (built((first, second)) for _ in range(3))
    frozen.eval().requires_grad_(False)
    regression, residual = RegressionLoss(), ResidualLoss(frozen, hr_mean_conditioning=True)

    def sample() -> Tensor:
        with torch.inference_mode():
            zeros = torch.zeros_like(fine[:1])
            mean = frozen(zeros, condition[:1])
            call: Tensor = stochastic_sampler(
                sampled.eval(), start(fine), condition[:1], mean_hr=mean, num_steps=STEPS
            )
            return call

    def loss_of(network: Any, loss: Any) -> Call:
        return cast(
            lambda: loss(net=network, img_clean=fine, img_lr=condition).sum() / BATCH, bf16=bf16
        )

    return {
        "regression step": step(trained[0].train(), loss_of(trained[0], regression)),
        "diffusion step": step(taught.train(), loss_of(taught, residual)),
        "sample": cast(sample, bf16=bf16),
    }


def start(fine: Tensor) -> Tensor:
    """The noise of the sample."""
    return torch.randn(fine[:1].shape, generator=torch.Generator().manual_seed(2))


@contextmanager
def heard(*, yes: bool) -> Iterator[None]:
    """Let PhysicsNeMo believe that it is autocast."""
    asked = torch.is_autocast_enabled
    if yes:
        torch.is_autocast_enabled = lambda *_: True  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.is_autocast_enabled = asked


def measured(calls: dict[str, dict[str, Call]], task: str, repeats: int) -> dict[str, list[float]]:
    """CPU seconds of a task by library, in turns; the first call warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(repeats + 1):
        for name, by_task in calls.items():
            with heard(yes=name == "physicsnemo bf16"):
                began = time.process_time()
                by_task[task]()
                if number:
                    seconds[name].append(round(time.process_time() - began, 4))
    return seconds


def ratios(seconds: dict[str, list[float]]) -> dict[str, float]:
    """How many times longer PhysicsNeMo takes."""
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    pairs = (
        ("ours fp32", "physicsnemo fp32"),
        ("ours bf16", "physicsnemo fp32"),
        ("ours bf16", "physicsnemo bf16"),
    )
    return {f"{a} over {b}": round(middle[b] / middle[a], 2) for a, b in pairs}


def errors(
    calls: dict[str, dict[str, Call]], stage: ResidualStage, first: Any, second: Any, given: Tensor
) -> dict[str, Any]:
    """How far we are from PhysicsNeMo in fp32."""
    exact = calls["physicsnemo fp32"]["sample"]()
    found: dict[str, Any] = {
        f"sample, {name}": off(calls[name]["sample"](), exact)
        for name in ("ours fp32", "ours bf16")
    }
    stage.eval(), first.eval(), second.eval()
    zeros = torch.zeros(len(given), stage.config.num_outputs, CELLS, CELLS)
    x, sigma = zeros + start(zeros), torch.tensor(1.0)
    with torch.inference_mode():
        mean = stage.mean(given)
        said = stage.denoise(x, sigma, given, mean)
        for way in ("as shipped", "normalized as in training"):
            for part in (*first.modules(), *second.modules()):
                if type(part).__name__ == "GroupNorm":
                    part.training = way != "as shipped"
            conditioned = torch.cat([mean, given], 1)
            found[f"network, ours fp32, {way}"] = {
                "regression": off(mean, first(zeros, given)),
                "diffusion": off(said, second(x, conditioned, sigma.expand(len(given)))),
            }
    return found


def off(found: Tensor, exact: Tensor) -> float:
    """The largest difference over the largest value."""
    return float(f"{float((found - exact).abs().max() / exact.abs().max()):.2e}")


def name_operators() -> None:
    """Name what PhysicsNeMo's imports ask for where torchvision is of another build of torch."""
    plain = ["nms", "qnms", "qroi_align"]
    for name in ("roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d"):
        plain += [name, f"_{name}_backward"]
    for name in plain:
        if not hasattr(torch.ops.torchvision, name):
            NAMES.define(f"{name}(Tensor x) -> Tensor")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    name_operators()
    import physicsnemo

    condition, fine = fields(options.data)
    torch.manual_seed(0)
    first, second = peers(condition.shape[1], fine.shape[1])
    stage = same(first, second, condition.shape[1], fine.shape[1])
    calls: dict[str, dict[str, Call]] = {}
    for bf16 in (False, True):
        name = "bf16" if bf16 else "fp32"
        calls[f"ours {name}"] = ours(stage, condition, fine, bf16=bf16)
        calls[f"physicsnemo {name}"] = theirs(first, second, condition, fine, bf16=bf16)
    found = errors(calls, stage, first, second, condition)
    print(json.dumps(found, indent=1), flush=True)
    tasks = json.loads(options.out.read_text())["tasks"] if options.out.exists() else {}
    for task in options.tasks:
        seconds = measured(calls, task, options.repeats)
        load = round(os.getloadavg()[0], 1)
        tasks[task] = {"ratios": ratios(seconds), "cpu_seconds": seconds, "load": load}
        print(task, json.dumps(tasks[task]), flush=True)
        result = {
            "benchmark": "weather_speed",
            "command": command(),
            "machine": machine(),
            "torch": torch.__version__,
            "physicsnemo": physicsnemo.__version__,
            "parameters": sum(p.numel() for p in stage.network.parameters()),
            "errors": found,
            "tasks": tasks,
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
