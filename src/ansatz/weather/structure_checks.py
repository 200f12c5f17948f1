"""Whether fields look like weather: variance by wavelength, rare values, rain, coarse cells."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from ansatz.core.findings import Case, Figure, Finding, Section, Table
from ansatz.report.numbers import number
from ansatz.report.statistics import Floats
from ansatz.weather.channels import labels, place_of
from ansatz.weather.comparison import (
    BILINEAR,
    MEAN,
    MODEL,
    Quantity,
    everyone,
    members_of,
    quantities,
    with_truth,
)
from ansatz.weather.grid import block_mean
from ansatz.weather.plots import spectra_figure
from ansatz.weather.scores.ensembles import Values
from ansatz.weather.scores.fractions import cells_of, fraction_sums, fss
from ansatz.weather.scores.spectra import log_distance, spectrum, wavenumbers
from ansatz.weather.scores.tails import LEVELS, quantiles, reach_ratio
from ansatz.weather.scores.winds import divergence, vorticity, wind_pairs

TRUTH = "truth"
RAIN = ("tp", "rain", "precip", "apcp")
THRESHOLDS = (0.1, 1.0, 5.0)  # mm
SCALES = (0.0, 10.0, 25.0, 50.0, 100.0)  # km; 0 is a single cell
HELD = (1.0, 25.0)  # the threshold and the scale that have a bound
SPECTRA = (
    "Spectra of single fields: a mean over what is possible is smoother than any of it, and so is "
    "an interpolation. The distance of two spectra (RALSD) is 3 dB where they differ by a factor "
    "of two at all wavelengths. "
)
TAILS = (
    "Quantiles of all cells of all cases. The reach of a tail is the distance of a quantile from "
    "the median; as a ratio to the true reach it is below 1 where rare values are too tame."
)
CONSISTENCY = (
    "The input of these channels is the block mean of the truth, so the block means of an answer "
    "should be its input. The deviation is the root of its mean square over the coarse cells."
)


# ------------------------------------------------------------------------------------ spectra
def check_spectra(cases: Sequence[Case]) -> Section:
    """Variance by wavelength of outputs, and of divergence and vorticity of winds.

    Args:
        cases: Those with a truth; where sizes of fields differ, those of the first one's size.
    """
    known = with_truth(cases)
    if not known:
        return Section("Spectra", text="There is no truth to compare the fields with.")
    shape = known[0].truth.fine.shape
    alike = [case for case in known if case.truth.fine.shape == shape]
    shown = [who for who in (MODEL, MEAN, BILINEAR) if who in everyone(alike)]
    findings, drawn = [], []
    for name, label, field in spectral_fields(alike[0]):
        spectra = {who: mean_spectrum(alike, who, field) for who in (TRUTH, *shown)}
        if not spectra[TRUTH].all():
            continue  # a day without rain
        apart = {who: log_distance(spectra[TRUTH], spectra[who]) for who in shown}
        source = MEAN if MEAN in apart else ""
        bound = apart[MEAN] if source else None
        findings.append(Finding(f"ralsd_{name}", apart[MODEL], "dB", bound, source))
        drawn.append(drawn_spectra(alike[0], spectra, apart, label))
    return Section("Spectra", tuple(findings), SPECTRA, tuple(drawn))


Derived = Callable[[Values], Floats]


def spectral_fields(case: Case) -> list[tuple[str, str, Derived]]:
    """Name, label and function of fields (..., C, H, W), of all that has a spectrum."""
    channels = case.answer.channels
    meters = 1000 * channels.spacing
    found: list[tuple[str, str, Derived]] = [
        (q.name, f"{q.name}, {squared(q.unit)}km", q.of)
        for q in quantities(channels)
        if not q.is_wind
    ]
    for u, v in wind_pairs(labels(channels.outputs)):
        level = labels(channels.outputs)[u].replace("u", "", 1)
        for name, derivative in (("divergence", divergence), ("vorticity", vorticity)):
            found.append((f"{name}{level}", f"{name}, s⁻² km", _of_wind(derivative, u, v, meters)))
    return found


def squared(unit: str) -> str:
    """A unit squared, and a space; nothing of pure numbers."""
    whole = f"({unit})" if "/" in unit or " " in unit else unit
    return f"{whole}² " if unit else ""


def _of_wind(
    derivative: Callable[[Floats, Floats, float], Floats], u: int, v: int, meters: float
) -> Derived:
    """A derivative of the wind as a function of all outputs."""

    def derived(fields: Values) -> Floats:
        east, north = (fields[..., place, :, :].astype(np.float64) for place in (u, v))
        return derivative(east, north, meters)

    return derived


def mean_spectrum(cases: Sequence[Case], who: str, field: Derived) -> Floats:
    """The mean spectrum of single fields: of the truth, or of each member of someone's answers."""
    spacing = cases[0].answer.channels.spacing
    fields = (case.truth.fine[None] if who == TRUTH else members_of(case, who) for case in cases)
    found: Floats = np.mean([spectrum(field(each), spacing).mean(0) for each in fields], axis=0)
    return found


def drawn_spectra(
    case: Case, spectra: dict[str, Floats], apart: dict[str, float], label: str
) -> Figure:
    """Spectra by wavelength, with their distances from that of the truth."""
    channels = case.answer.channels
    cells = len(spectra[TRUTH]) + 1
    distances = ", ".join(f"{who} {number(value, 3)} dB" for who, value in apart.items())
    return spectra_figure(
        1 / wavenumbers(cells, cells, channels.spacing),
        spectra,
        label=label,
        caption=f"{label.partition(',')[0]}: distance from the truth's spectrum: {distances}.",
    )


# -------------------------------------------------------------------------------------- tails
def check_tails(cases: Sequence[Case]) -> Section:
    """Rare values of each quantity.

    Args:
        cases: Those without a truth are left out.
    """
    known = with_truth(cases)
    if not known:
        return Section("Rare values", text="There is no truth to compare the fields with.")
    asked = quantities(known[0].answer.channels)
    names = [who for who in (MODEL, MEAN, BILINEAR) if who in everyone(known)]
    findings, tables = [], []
    for quantity in asked:
        heaps = {TRUTH: [quantity.of(case.truth.fine) for case in known]} | {
            who: [quantity.of(members_of(case, who)) for case in known] for who in names
        }
        findings += tail_findings(quantity, heaps[MODEL], heaps[TRUTH])
        rows = [[who, *quantiles(heap).tolist()] for who, heap in heaps.items()]
        header = ("", *(f"{level:g}" for level in LEVELS))
        tables.append(Table(header, rows, f"Quantiles of {quantity.name}, {quantity.unit}."))
    return Section("Rare values", tuple(findings), TAILS, tables=tuple(tables))


def tail_findings(
    quantity: Quantity, fields: Sequence[Floats], truths: Sequence[Floats]
) -> list[Finding]:
    """The reach of each tail over the true one; a tail without any length is left out."""
    # The lower tail of rain is that it does not rain.
    levels = {"high": LEVELS[-1]} | ({} if is_rain(quantity) else {"low": LEVELS[0]})
    reaches = {side: reach_ratio(fields, truths, level) for side, level in levels.items()}
    return [
        Finding(f"tail_{side}_{quantity.name}", reach, source=f"quantile {levels[side]:g}")
        for side, reach in reaches.items()
        if np.isfinite(reach)
    ]


# --------------------------------------------------------------------------------------- rain
def check_rain(cases: Sequence[Case]) -> Section:
    """Fractions skill scores of rain by threshold and scale.

    Args:
        cases: Those without a truth are left out.
    """
    known = with_truth(cases)
    rains = [q for q in quantities(known[0].answer.channels) if is_rain(q)] if known else []
    if not rains:
        return Section("Rain", text="No rain was asked for.")
    parts = [rain_scores(known, quantity) for quantity in rains]
    findings = tuple(finding for found, _ in parts for finding in found)
    text = (
        "Fractions skill score: 1 is perfect, 0 is no overlap; squares of all cases are pooled. "
        "The share of an ensemble is its probability."
    )
    return Section("Rain", findings, text, tables=tuple(table for _, table in parts))


def is_rain(quantity: Quantity) -> bool:
    """Whether a quantity is rain, by its name."""
    return quantity.name.startswith(RAIN)


def rain_scores(cases: Sequence[Case], quantity: Quantity) -> tuple[list[Finding], Table]:
    """Scores of one kind of rain; thresholds that were reached nowhere are left out."""
    names, channels = everyone(cases), cases[0].answer.channels
    wettest = max(float(quantity.of(case.truth.fine).max()) for case in cases)
    side = channels.spacing * min(cases[0].truth.fine.shape[-2:])
    unit = 1e-3 if quantity.unit.startswith("m") and not quantity.unit.startswith("mm") else 1.0
    findings, rows = [], []
    for threshold in (t for t in THRESHOLDS if t * unit <= wettest):
        for scale in (s for s in SCALES if s <= side / 2):
            cells = cells_of(scale, channels.spacing)
            scores = {
                who: pooled_fss(cases, who, quantity, threshold * unit, cells) for who in names
            }
            rows.append([threshold, cells * channels.spacing, *scores.values()])
            if (threshold, scale) == HELD:
                bound = scores.get(BILINEAR)
                name = f"fss_{quantity.name}_{threshold:g}mm_{scale:g}km"
                findings.append(Finding(name, scores[MODEL], "", bound, BILINEAR, at_least=True))
    header = ("mm", "km", *names)
    return findings, Table(header, rows, f"Fractions skill scores of {quantity.name}.")


def pooled_fss(
    cases: Sequence[Case], who: str, quantity: Quantity, threshold: float, cells: int
) -> float:
    """Fractions skill score over all cases."""
    sums = [
        fraction_sums(
            quantity.of(members_of(case, who)), quantity.of(case.truth.fine), threshold, cells
        )
        for case in cases
    ]
    return float(fss(np.sum(sums, axis=0)))


# -------------------------------------------------------------------------------- consistency
def check_consistency(cases: Sequence[Case]) -> Section:
    """Block means of answers against the input that they were made from.

    Args:
        cases: With truth or without.
    """
    channels = cases[0].answer.channels if cases else None
    if channels is None or not channels.block_mean:
        text = "The input is of another model: no output has its own block mean as input."
        return Section("Coarse cells", text=text)
    names = everyone(cases)
    rows = {
        label: {who: deviation(cases, who, label) for who in names} for label in channels.block_mean
    }
    findings = tuple(
        Finding(
            f"coarse_deviation_{label}",
            each[MODEL],
            channels.outputs[place_of(label, channels.outputs)].unit,
            source="block means of all members against the input",
        )
        for label, each in rows.items()
    )
    cells = [[label, *each.values()] for label, each in rows.items()]
    table = Table(("", *names), cells, "Deviation of block means from the input.")
    return Section("Coarse cells", findings, CONSISTENCY, tables=(table,))


def deviation(cases: Sequence[Case], who: str, label: str) -> float:
    """Root mean square of the block means of an output less its coarse namesake."""
    channels = cases[0].answer.channels
    given = place_of(label, channels.inputs)
    place = place_of(label, channels.outputs)
    squares = []
    for case in cases:
        fine = torch.from_numpy(np.ascontiguousarray(members_of(case, who)[:, place], np.float64))
        gap = block_mean(fine, channels.factor).numpy() - case.answer.coarse[given]
        squares.append(float((gap**2).mean()))
    return float(np.sqrt(np.mean(squares)))
