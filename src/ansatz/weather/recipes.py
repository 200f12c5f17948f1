"""The weather recipes: pairs of stages, a mean and the residual that it leaves.

`ansatz train weather/uk2km` trains the mean first, `weather/uk2km-mean`, on the same data. Second
stages of other kinds build upon the same mean: `-flow` matches flows, `-crps` answers with one
evaluation of the network.
"""

from dataclasses import replace
from functools import partial

from ansatz.core.recipe import Dataset, Manifest, Recipe, RemoteFile, TrainConfig
from ansatz.weather.baselines import bilinear, climatology, lapse_rate
from ansatz.weather.beginning import begin
from ansatz.weather.calibration import calibrate
from ansatz.weather.channels import Conditioning
from ansatz.weather.checks import CHECKS
from ansatz.weather.dataset import Downscaling, Mini
from ansatz.weather.mini import Layout
from ansatz.weather.model.config import MINI, Mean, Residual
from ansatz.weather.objective import Denoising, FlowMatching, MeanError, ProperScore
from ansatz.weather.origins import AROME25, HRRR3KM, UK2KM
from ansatz.weather.predictor import load_downscaler
from ansatz.weather.request import SUFFIXES, Question, parts

METCOOP = Manifest(
    "embedded:ansatz.weather/embedded/metcoop",
    (RemoteFile("description.toml"), RemoteFile("storm-2015.nc"), RemoteFile("storm-2016.nc")),
    "CC-BY-4.0, Data from The Norwegian Meteorological Institute",
)
CORRDIFF_MINI = Manifest("", (RemoteFile("hrrr_mini_train.nc"), RemoteFile("stats.json")), "NVIDIA")
MEAN_TRAINING = TrainConfig(
    steps=1500,
    batch_size=8,
    learning_rate=1e-3,
    warmup_steps=100,
    weight_decay=0.01,
    precision="bf16",
    ema_decay=0.995,
)
RESIDUAL_TRAINING = replace(MEAN_TRAINING, steps=2500, ema_decay=0.998)
# corrdiff/conf/base/training: 2 M samples for the mean, 8 M for the residual, batches of 256.
MINI_TRAINING = TrainConfig(
    steps=8000,
    batch_size=256,
    learning_rate=2e-4,
    warmup_steps=400,
    precision="bf16",
    ema_decay=0.999,
)


def mean_stage(name: str, title: str, data: Dataset) -> Recipe:
    """The first stage of a pair."""
    return Recipe(
        name=f"{name}-mean",
        title=f"{title}: the mean alone",
        data=data,
        model=Mean(),
        objective=MeanError(),
        request=Question,
        manner=("members", "seed", "sampler", "steps", "tile"),
        predictor=load_downscaler,
        train=MEAN_TRAINING,
        suffixes=SUFFIXES,
        parts=parts,
        begin=begin,
        calibrate=calibrate,
        checks=CHECKS,
        baselines={"bilinear": bilinear, "lapse rate": lapse_rate, "climatology": climatology},
        dialects={"corrdiff-nim": "ansatz.weather.nim:CORRDIFF"},
        shares=name,
    )


def residual_stage(name: str, title: str, data: Dataset) -> Recipe:
    """The second stage of a pair."""
    return replace(
        mean_stage(name, title, data),
        name=name,
        title=title,
        model=Residual(),
        objective=Denoising(),
        train=RESIDUAL_TRAINING,
        needs=f"{name}-mean",
        shares="",
    )


# ------------------------------------------------------------------------------------ the pairs
METCOOP_PAIR = (
    "weather/metcoop",
    "10 m winds of AROME-MetCoOp from 20 km to 2.5 km",
    Downscaling(METCOOP),
)
UK2KM_PAIR = (
    "weather/uk2km",
    "2 m temperature and wind speed of MOGREPS-UK from 16 km to 2 km",
    Downscaling(UK2KM, "uk2km", conditioning=Conditioning(lapse=True)),
)
HRRR3KM_PAIR = (
    "weather/hrrr3km",
    "wind, temperature and gusts of HRRR from 24 km to 3 km",
    Downscaling(HRRR3KM, "hrrr3km", crop=32, conditioning=Conditioning(lapse=True)),
)
AROME25_PAIR = (
    "weather/arome25",
    "rain and pressure of AROME from ARPEGE, 0.2 to 0.025 degrees",
    Downscaling(AROME25, "arome25"),
)
MINI_PAIR = (
    "weather/mini",
    "NVIDIA's CorrDiff-Mini: 10 m winds of HRRR from ERA5, from its own file",
    Mini(
        CORRDIFF_MINI, layout=Layout(outputs=("10u", "10v"), invariants=("elev_mean", "lsm_mean"))
    ),
)
metcoop_mean = partial(mean_stage, *METCOOP_PAIR)
uk2km_mean, uk2km = (partial(make, *UK2KM_PAIR) for make in (mean_stage, residual_stage))
hrrr3km_mean, hrrr3km = (partial(make, *HRRR3KM_PAIR) for make in (mean_stage, residual_stage))
arome25_mean, arome25 = (partial(make, *AROME25_PAIR) for make in (mean_stage, residual_stage))


def metcoop() -> Recipe:
    """The pair that ships, with its data."""
    shipped = "ansatz.weather/embedded/checkpoints/metcoop"
    return replace(residual_stage(*METCOOP_PAIR), shipped=shipped)


def mini_mean() -> Recipe:
    """The regression of CorrDiff-Mini, 10.9 M parameters."""
    return replace(mean_stage(*MINI_PAIR), model=Mean(MINI), train=MINI_TRAINING)


def mini() -> Recipe:
    """The diffusion of CorrDiff-Mini, 10.9 M parameters, told the noise."""
    return replace(
        residual_stage(*MINI_PAIR),
        model=Residual(MINI, mean=Mean(MINI)),
        train=replace(MINI_TRAINING, steps=31_000),
    )


def uk2km_flow() -> Recipe:
    """Flow matching from the mean of `weather/uk2km`."""
    return replace(
        uk2km(),
        name="weather/uk2km-flow",
        title=f"{UK2KM_PAIR[1]}, by flow matching",
        model=Residual(kind="velocity"),
        objective=FlowMatching(),
        shares="weather/uk2km",
    )


def uk2km_crps() -> Recipe:
    """One evaluation of the network per member, on the mean of `weather/uk2km`."""
    return replace(
        uk2km(),
        name="weather/uk2km-crps",
        title=f"{UK2KM_PAIR[1]}, in one evaluation",
        model=Residual(kind="generator"),
        objective=ProperScore(),
        shares="weather/uk2km",
    )
