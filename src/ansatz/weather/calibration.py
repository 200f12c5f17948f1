"""The spread of an ensemble, fitted to the validation split where that helps.

Networks tend to spread too little (Mardani et al., arXiv:2309.15214, figure 2). One factor f per
output widens, or narrows, the residual r of every member, x = mean + f r. It is the f of least
fair CRPS; and since the least of many is never worse than f = 1 on what it was fitted to, it is
kept only if a factor fitted to one half of the validation times is better on the other half, both
ways together.

    channels.json      what the checkpoint was trained on, from the store
    calibration.json   factors, and the CRPS without and with them
"""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ansatz.core.artifacts import atomic, write_json
from ansatz.store.samples import Store
from ansatz.weather.channels import FILE, Channels, labels
from ansatz.weather.crops import crops
from ansatz.weather.model.stages import MeanStage
from ansatz.weather.predictor import CALIBRATION, Downscaler, load_downscaler, numbers_of
from ansatz.weather.request import Question
from ansatz.weather.scores.ensembles import crps

FACTORS = np.geomspace(0.5, 2.0, 33)  # the middle one is 1
SAMPLES, MEMBERS = 16, 4  # a minute of one processor, with nine evaluations of a small network
SIDE = 64  # fine cells of a crop

Floats = NDArray[np.floating]
Pair = tuple[str, Floats, Floats, Floats]  # time, mean, members and truth


@dataclass(frozen=True)
class Spread:
    """Factors and what they change, a number for each output.

    Attributes:
        outputs: Labels.
        factors: Of the residual; 1 where none helps.
        crps_before: Of the validation samples with factors of 1, in the units of the outputs.
        crps_after: The same with factors that were fitted to the other half of the times.
        samples: That were looked at.
        members: Of each ensemble.
    """

    outputs: tuple[str, ...]
    factors: tuple[float, ...]
    crps_before: tuple[float, ...]
    crps_after: tuple[float, ...]
    samples: int
    members: int


def calibrate(folder: Path, store: Path) -> None:
    """Make a finished run ready for prediction.

    Args:
        folder: Of the run; gets `channels.json`, and `calibration.json` if it has two stages.
        store: Of the samples.
    """
    with atomic(folder / FILE) as part:
        shutil.copyfile(store / FILE, part)
    (folder / CALIBRATION).unlink(missing_ok=True)
    model = load_downscaler(folder)
    if isinstance(model.stage, MeanStage) or not Store(store).names("validation"):
        return
    pairs = list(_answered(model, store))
    write_json(folder / CALIBRATION, asdict(fitted(pairs, model.channels)))


def _answered(model: Downscaler, store: Path) -> Iterator[Pair]:
    """Ensembles of crops of validation samples, evenly among all, with their truths.

    In the units of the outputs, less their means, and without priors: those know no spread.
    """
    factor = model.channels.factor
    cut = crops(store, "validation", 1, max(SIDE // factor, 1) * factor)
    std = np.array(model.channels.output_std)[:, None, None]
    chosen = np.linspace(0, len(cut.names) - 1, min(SAMPLES, len(cut.names))).round().astype(int)
    for number in chosen.tolist():
        crop = cut.crop(cut.names[number], np.random.default_rng(number))
        asked = {"condition": crop["condition"][None], "place": crop["place"][None]}
        outputs = model.forward(asked | numbers_of(Question(Path(), members=MEMBERS)))
        time = cut.samples.meta(cut.names[number])["time"]
        fields = (outputs["mean"], outputs["members"], crop["fine"])
        mean, members, truth = (field.double().numpy() * std for field in fields)
        yield time, mean, members, truth


def fitted(pairs: list[Pair], channels: Channels) -> Spread:
    """Fit the factors of all outputs.

    Args:
        pairs: Time, mean (outputs, H, W), members (members, outputs, H, W) and truth of samples.
        channels: What they are.
    """
    times = sorted({time for time, *_ in pairs})
    # Halves of the times; of the samples if there is one time only.
    halves = np.array([times.index(time) % 2 for time, *_ in pairs])
    if len(times) == 1:
        halves = np.arange(len(pairs)) % 2
    scores = np.array([_scores(*pair[1:]) for pair in pairs])  # (samples, outputs, factors)
    one = len(FACTORS) // 2
    before = scores[..., one].mean(0)
    after = _crossed(scores, halves)
    best = scores.mean(0).argmin(-1)
    factors = np.where(after < before, FACTORS[best], 1.0)
    return Spread(
        outputs=tuple(labels(channels.outputs)),
        factors=tuple(factors.tolist()),
        crps_before=tuple(before.tolist()),
        crps_after=tuple(after.tolist()),
        samples=len(pairs),
        members=len(pairs[0][2]),
    )


def _scores(mean: Floats, members: Floats, truth: Floats) -> Floats:
    """Fair CRPS of a sample, shape (outputs, factors)."""
    residual = members - mean
    scores = [crps(mean + factor * residual, truth).mean((-2, -1)) for factor in FACTORS]
    return np.stack(scores, -1)


def _crossed(scores: Floats, halves: NDArray[np.int64]) -> Floats:
    """CRPS of each output with factors fitted to the other half, shape (outputs,)."""
    found = scores[..., len(FACTORS) // 2].copy()
    for half in (0, 1):
        here, there = scores[halves == half], scores[halves != half]
        if len(there):
            best = there.mean(0).argmin(-1)
            found[halves == half] = np.take_along_axis(here, best[None, :, None], -1)[..., 0]
    crossed: Floats = found.mean(0)
    return crossed
