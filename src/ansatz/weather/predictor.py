"""From coarse fields to an ensemble of fine ones: the predictor of a checkpoint.

encode   read the fields of one time, interpolate and scale them                    (host)
forward  the mean once, then each member from noise of its own                      (device)
decode   units, the spread that calibration found, what the fields have to obey     (host)

A member is mean + f s r, with r the sample of the second stage, s the scale of its residual and f
the factor of `ansatz.weather.calibration`.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ansatz.core.recipe import Encoded
from ansatz.engine.interruption import require_wanted
from ansatz.weather.answer import Ensemble
from ansatz.weather.beginning import read_stage
from ansatz.weather.channels import Channels, maps_of, read_channels
from ansatz.weather.condition import condition
from ansatz.weather.inputs import Fields, read_fields
from ansatz.weather.model.stages import MeanStage, ResidualStage
from ansatz.weather.priors import obeying
from ansatz.weather.request import SAMPLERS, Question
from ansatz.weather.sampling.flow import flow, flow_evaluations
from ansatz.weather.sampling.heun import heun, heun_evaluations
from ansatz.weather.sampling.multistep import multistep
from ansatz.weather.sampling.noise import noise_of
from ansatz.weather.sampling.schedule import noise_levels
from ansatz.weather.tiles import Local, Tiles, tiled

Tensors = dict[str, Tensor]
Stage = MeanStage | ResidualStage
WHOLE = 512 * 512  # fine cells of a domain that the network still sees at once
CALIBRATION = "calibration.json"
TILE = 256  # cells along the side of a tile in a larger one
SHARE = 4  # a tile over its overlap
TOGETHER = 1 << 18  # fine cells that the network sees at once, over all members and tiles


@dataclass(frozen=True)
class Asked:
    """What an ensemble is given back with."""

    fields: Fields


@dataclass(frozen=True)
class Downscaler:
    """The predictor of a checkpoint.

    Attributes:
        stage: The network: a mean, or both stages.
        channels: What its fields are.
        spread: Factor of each output's residual.
    """

    stage: Stage
    channels: Channels
    spread: tuple[float, ...] = field(default=())

    def encode(self, request: Question) -> Encoded[Asked]:
        """Read what is asked about.

        Raises:
            OSError: If a file cannot be read.
            ValueError: If it does not hold what the network needs.
        """
        source = request.input
        if isinstance(source, Fields):
            fields = with_static(source, self.channels)
            require_shapes(fields, self.channels)
        else:
            fields = read_fields(source, self.channels, request.sample, request.static)
        tensors = {
            "condition": condition(
                torch.from_numpy(fields.coarse)[None],
                torch.from_numpy(fields.static)[None],
                self.channels,
                self.channels.conditioning,
                torch.tensor([fields.lead]),
            ),
            "place": torch.tensor([fields.place]),
        }
        return Encoded(tensors | numbers_of(request), Asked(fields))

    def forward(self, tensors: Tensors) -> Tensors:
        """The mean and the members, as z-scores, shape (outputs, H, W) and (members, ...).

        Raises:
            UnwantedError: Between two evaluations, once nobody waits for the answer.
        """
        started = time.perf_counter()
        tiles = tiles_of(tensors["condition"], int(tensors["tile"]), self.stage, self.channels)
        with torch.no_grad():
            mean = tiled(self._mean, tiles)([tensors["condition"]], tensors["place"])
            members, evaluations = mean, 1
            if isinstance(self.stage, ResidualStage):
                members, evaluations = sampled(self.stage, tensors, mean, tiles)
        if mean.is_cuda:
            torch.cuda.synchronize()
        return {
            "mean": mean[0],
            "members": members,
            "evaluations": torch.tensor(evaluations),
            "seconds": torch.tensor(time.perf_counter() - started, dtype=torch.float64),
        }

    def decode(self, outputs: Tensors, encoded: Encoded[Asked]) -> Ensemble:
        """Give fields their units, and hold them to what they have to obey."""
        fields = encoded.context.fields
        coarse = torch.from_numpy(fields.coarse)
        mean = outputs["mean"].float()
        factor = maps_of(self.spread or (1.0,) * len(mean), mean)

        def physical(scores: Float[Tensor, "o H W"]) -> Float[Tensor, "o H W"]:
            # In float64: a pressure in Pa as a z-score has more digits than float32 has.
            return obeying(self.channels.physical(scores.double()), coarse, self.channels)

        # One by one, so that memory in float64 is that of a single member.
        members = [physical(mean + factor * (member - mean)) for member in outputs["members"]]
        return Ensemble(
            members=torch.stack(members).numpy(),
            mean=physical(mean).numpy(),
            coarse=fields.coarse,
            channels=self.channels,
            time=fields.time,
            region=fields.region,
            lat=fields.lat,
            lon=fields.lon,
            evaluations=int(outputs["evaluations"]),
            seconds=float(outputs["seconds"]),
            truth=fields.fine,
        )

    def _mean(self, fields: Sequence[Tensor], place: Tensor) -> Tensor:
        require_wanted()
        (given,) = fields
        mean = self.stage.mean if isinstance(self.stage, ResidualStage) else self.stage
        found: Tensor = mean(given, place)
        return found


def numbers_of(request: Question) -> Tensors:
    """What a question says of the ensemble, as `forward` takes it."""
    numbers = {
        "members": request.members,
        "first": request.first,
        "seed": request.seed,
        "steps": request.steps,
        "sampler": SAMPLERS.index(request.sampler),
        "tile": request.tile,
    }
    return {name: torch.tensor(number) for name, number in numbers.items()}


def with_static(fields: Fields, channels: Channels) -> Fields:
    """Fields with static ones on the fine grid, of which there are none if none are needed."""
    if channels.statics or fields.static.size:
        return fields
    height, width = (n * channels.factor for n in fields.coarse.shape[-2:])
    return replace(fields, static=np.zeros((0, height, width), np.float32))


def require_shapes(fields: Fields, channels: Channels) -> None:
    """Refuse fields that do not fit the network.

    Raises:
        ValueError: If there are others than it was trained on, or their grids do not fit.
    """
    height, width = (n * channels.factor for n in fields.coarse.shape[-2:])
    wanted = {
        "coarse": (len(channels.inputs), *fields.coarse.shape[-2:]),
        "static": (len(channels.statics), height, width),
    }
    for name, shape in wanted.items():
        found = getattr(fields, name)
        if found.shape != shape:
            known = channels.inputs if name == "coarse" else channels.statics
            raise ValueError(
                f"the {name} fields have the shape {found.shape}, and this model needs {shape}: "
                f"{', '.join(c.label for c in known) or 'no channels'}, in this order"
            )


# ---------------------------------------------------------------------------------- sampling
def sampled(
    stage: ResidualStage, tensors: Tensors, mean: Float[Tensor, "1 o H W"], tiles: Tiles
) -> tuple[Float[Tensor, "members o H W"], int]:
    """Members of an ensemble, and the evaluations that one of them took.

    A few are drawn at a time, as many as fit; what they are does not depend on it.
    """
    given, place = tensors["condition"], tensors["place"]
    first, last = int(tensors["first"]), int(tensors["first"] + tensors["members"])
    together = max(1, TOGETHER // math.prod(mean.shape[-2:]))
    draw, evaluations = solver(stage, tensors)
    members = []
    for start in range(first, last, together):
        numbers = range(start, min(start + together, last))
        noise = [
            noise_of(int(tensors["seed"]), number, tuple(mean.shape[1:])) for number in numbers
        ]
        x = torch.stack(noise).to(mean)
        alike = [field.expand(len(x), -1, -1, -1) for field in (given, mean)]
        evaluate = partial(_evaluated, stage, tiles, alike, place.expand(len(x), -1))
        members.append(stage.member(mean, draw(evaluate, x)))
    return torch.cat(members), evaluations


Evaluate = Callable[[Tensor, Tensor], Tensor]
Draw = Callable[[Evaluate, Tensor], Tensor]


def solver(stage: ResidualStage, tensors: Tensors) -> tuple[Draw, int]:
    """How a network of this kind comes from noise to samples, and in how many evaluations."""
    steps = int(tensors["steps"])
    if stage.kind == "generator":
        return lambda evaluate, noise: evaluate(noise, noise.new_zeros(())), 1
    if stage.kind == "velocity":
        half = steps // 2
        return lambda evaluate, noise: flow(evaluate, noise, half), flow_evaluations(half)
    levels = noise_levels(steps)
    if SAMPLERS[int(tensors["sampler"])] == "heun":
        return lambda evaluate, noise: heun(evaluate, noise, levels), heun_evaluations(steps)
    return lambda evaluate, noise: multistep(evaluate, noise, levels), steps


def _evaluated(
    stage: ResidualStage,
    tiles: Tiles,
    alike: list[Tensor],
    place: Tensor,
    x: Tensor,
    level: Tensor,
) -> Tensor:
    """What the second stage says of x on the whole domain, at a level of noise or a time."""
    return tiled(_local(stage, level), tiles)([x, *alike], place)


def _local(stage: ResidualStage, level: Tensor) -> Local:
    """What the second stage says of a tile."""

    def local(fields: Sequence[Tensor], place: Tensor) -> Tensor:
        require_wanted()
        x, given, mean = fields
        if stage.kind == "generator":
            return stage.generate(x, given, mean, place)
        if stage.kind == "velocity":
            return stage.velocity(x, level, given, mean, place)
        return stage.denoise(x, level, given, mean, place)

    return local


def tiles_of(given: Tensor, side: int, stage: Stage, channels: Channels) -> Tiles:
    """How to cut a domain: into tiles of a side, or not at all while it is small enough."""
    multiple = math.lcm(stage.config.shape.multiple, channels.factor)
    height, width = (-(-size // multiple) * multiple for size in given.shape[-2:])
    side = side or (TILE if height * width > WHOLE else max(height, width))
    side = -(-side // multiple) * multiple
    high, wide = min(side, height), min(side, width)
    overlap = 0 if (high, wide) == (height, width) else min(high, wide) // SHARE
    together = max(1, TOGETHER // (high * wide))
    return Tiles(high, wide, overlap, step=channels.factor, together=together)


# ------------------------------------------------------------------------------- checkpoints
def load_downscaler(folder: Path) -> Downscaler:
    """Load a checkpoint of `ansatz train`.

    Raises:
        FileNotFoundError: If there is no checkpoint, or nothing says what its channels are.
        ValueError: If it is of another kind of network, or damaged.
    """
    return Downscaler(read_stage(folder), read_channels(folder), read_spread(folder))


def read_spread(folder: Path) -> tuple[float, ...]:
    """The factors of a checkpoint; none if it was not calibrated."""
    path = folder / CALIBRATION
    return tuple(json.loads(path.read_text())["factors"]) if path.exists() else ()
