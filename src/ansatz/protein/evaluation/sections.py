"""The sections of one page about a protein language model; each maker takes numbers, not files.

Rows are those of `perplexity.tally`, by model: `MODEL` and the baselines of `baselines.tables`, all
asked the very same residues.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ansatz.core.findings import Figure, Finding, Section, Table
from ansatz.protein.corpus.leakage import K, Leakage
from ansatz.protein.evaluation import perplexity as pp
from ansatz.protein.evaluation import structure, variants
from ansatz.protein.evaluation.baselines import BIGRAM, NEIGHBORS
from ansatz.protein.evaluation.painting import dots, shares
from ansatz.protein.evaluation.variants import Agreement
from ansatz.report import figures
from ansatz.report.numbers import cell
from ansatz.report.statistics import Floats, Interval

MODEL = "this model"
COUNTED = "counts of the training split, on the same masked residues"
NEAR_COPY, NEAR_COPIES_BOUND = 0.9, 0.01
RELATIVE_IDENTITIES = (0.7, 0.8, 0.9)
INVARIANCE_BOUND = 1e-4

Rows = Mapping[str, Floats]
Numbers = NDArray[np.integer]


# ------------------------------------------------------------------------------- perplexity
def perplexity_section(rows: Rows, clusters: Numbers, split: str = "validation") -> Section:
    """Perplexity beside what counting knows.

    Args:
        rows: Statistics by model, shapes (records, 3): `MODEL` and those of `baselines.tables`.
        clusters: The cluster of each record.
        split: Where the records are from.

    Returns:
        A section that passes if the model is better than the bigram model, and than the one that
        counts both neighbors.
    """
    found = {who: pp.interval(mine, clusters) for who, mine in rows.items()}
    gain = pp.relative(rows[MODEL], rows[NEIGHBORS], clusters)
    right = {who: float(pp.accuracy(mine.sum(0))) for who, mine in rows.items()}
    findings = (
        Finding(
            "perplexity", found[MODEL].value, "", found[BIGRAM].value,
            f"{BIGRAM}: {COUNTED}", False, _known(found[MODEL]),
        ),
        Finding(
            "perplexity_over_neighbors", gain.value, "", 1.0,
            f"{NEIGHBORS}: {COUNTED}", False, _known(gain),
        ),
        Finding("accuracy", right[MODEL], "", right[BIGRAM], f"{BIGRAM}: {COUNTED}", True),
    )  # fmt: skip
    asked = rows[MODEL][:, pp.COUNT]
    table = Table(
        ("", "perplexity", "from", "to", "accuracy"),
        [[who, p.value, p.low, p.high, right[who]] for who, p in found.items()],
        f"{cell(int(asked.sum()))} masked residues of {cell(int((asked > 0).sum()))} records in "
        f"{cell(len(np.unique(clusters)))} clusters. Intervals: 95 %, over clusters.",
    )
    figure = dots(
        list(found),
        {split: list(found.values())},
        label="Perplexity of masked residues",
        caption="Perplexity beside that of counting; smaller is better. 95 % intervals.",
    )
    text = (
        "All 20 amino acids alike would be 20, their frequencies about 18. ESM-2 reaches 10.26 "
        "(8M) and 7.14 (650M) after 500,000 steps on UniRef, on another validation set and with "
        "another masking (BioNeMo's documentation): a direction, not a comparison."
    )
    return Section("Perplexity", findings, text, (figure,), (table,))


def length_section(rows: Rows, clusters: Numbers, lengths: Numbers) -> Section:
    """Perplexity by length: short records give a network little to go by."""
    labels, order = pp.length_kinds(lengths)
    return _groups_section("Perplexity by length", "length", rows, clusters, labels, order)


def kingdom_section(rows: Rows, clusters: Numbers, kingdoms: Sequence[str]) -> Section:
    """Perplexity by kingdom, or by any other label of each record."""
    return _groups_section("Perplexity by kingdom", "kingdom", rows, clusters, kingdoms, ())


def _groups_section(
    title: str,
    kind: str,
    rows: Rows,
    clusters: Numbers,
    labels: Sequence[str],
    order: Sequence[str],
) -> Section:
    """Perplexity of each kind of record, for each model."""
    found = {who: pp.groups(mine, clusters, labels, order) for who, mine in rows.items()}
    mine = found[MODEL]
    findings = [
        Finding(
            f"perplexity_{group.name.replace(' ', '_')}", group.perplexity.value,
            interval=_known(group.perplexity),
        )
        for group in mine
    ]  # fmt: skip
    figure = dots(
        [group.name for group in mine],
        {who: [group.perplexity for group in each] for who, each in found.items()},
        label="Perplexity of masked residues",
        caption=f"{title}, with 95 % intervals over clusters; smaller is better.",
    )
    cells = [
        [g.name, g.records, g.residues, *(each[row].perplexity.value for each in found.values())]
        for row, g in enumerate(mine)
    ]
    table = Table((kind, "records", "masked residues", *found), cells, f"{title}.")
    return Section(title, tuple(findings), "", (figure,), (table,))


# ---------------------------------------------------------------------------------- leakage
def leakage_section(leakage: Leakage, aligned: int | None = None) -> Section:
    """What held-out records share with training.

    Args:
        leakage: As measured.
        aligned: Of the sampled records, those that MMseqs2 aligns to training at 50 % identity;
            None if nobody asked it.
    """
    source = f"{leakage.sampled} held-out against {leakage.against} training records, {K}-mers"
    findings = [
        Finding("copies_in_training", leakage.copies, "", 0, "128-bit hashes of all records")
    ]
    for identity in RELATIVE_IDENTITIES if leakage.sampled else ():
        bound = NEAR_COPIES_BOUND if identity == NEAR_COPY else None
        name = f"share_at_{identity:.0%}_identity".replace("%", "_percent")
        findings.append(Finding(name, leakage.above(identity), "", bound, source))
    if aligned is not None and leakage.sampled:
        share = aligned / leakage.sampled
        findings.append(Finding("share_aligned_at_50_percent", share, source="MMseqs2"))
    return Section(
        "Leakage of the split",
        tuple(findings),
        "Perplexity speaks of new proteins only if training has not seen their relatives.",
        (_identities(leakage),) if leakage.sampled else (),
    )


def _identities(leakage: Leakage) -> Figure:
    return shares(
        leakage.containment ** (1 / K),
        label="Identity to the nearest training record, from k-mers",
        caption="Estimated identity of held-out records to the nearest of the training records "
        "that were compared; 0 if they share fewer than three k-mers.",
    )


# --------------------------------------------------------------------------------- variants
def variants_section(agreements: Sequence[Agreement]) -> Section:
    """Mutation effects beside a substitution matrix and what is published."""
    names = [each.name for each in agreements]
    findings = [
        Finding(
            f"spearman_{each.name}", each.model.value, at_least=True,
            source=f"deep mutational scan, {each.mutants} mutants", interval=_known(each.model),
        )
        for each in agreements
    ]  # fmt: skip
    known = (variants.SITE_INDEPENDENT, variants.ESM2_8M, variants.ESM2_35M)
    series: dict[str, list[Interval]] = {
        MODEL: [each.model for each in agreements],
        "BLOSUM62": [each.matrix for each in agreements],
    }
    for name in known:
        series[name] = [_exactly(each.published.get(name)) for each in agreements]
    figure = dots(
        names,
        series,
        label="Spearman's ρ",
        caption="Rank correlation with measured effects of mutations; larger is better. 95 % "
        f"intervals over mutants. Others: {variants.PROTEINGYM}.",
    )
    others = [name for each in agreements for name in each.published]
    columns = list(dict.fromkeys(others))
    rows = [
        [each.name, each.mutants, each.model.value, each.matrix.value]
        + [each.published.get(name) for name in columns]
        for each in agreements
    ]
    caption = f"Spearman's ρ. Columns after BLOSUM62 are published ({variants.PROTEINGYM})."
    table = Table(("assay", "mutants", MODEL, "BLOSUM62", *columns), rows, caption)
    text = (
        "Zero-shot: no model was fitted to measurements. The site-independent one was fitted to an "
        "alignment of the protein's relatives, the others to proteins of all kinds."
    )
    return Section("Effects of mutations", tuple(findings), text, (figure,), (table,))


# ----------------------------------------------------------------- structure and invariance
def structure_section(found: Mapping[str, Interval], chains: int = 0) -> Section:
    """What a linear probe reads off embeddings, beside what letters tell.

    Args:
        found: Q3 by `structure.EMBEDDINGS`, `LETTERS` and `MAJORITY`.
        chains: That the probes were trained on; 0 if nobody says.

    Returns:
        A section that passes if embeddings tell more than the letters around a residue.
    """
    mine, letters = found[structure.EMBEDDINGS], found[structure.LETTERS]
    source = f"the same probe on the letters of {structure.WINDOW} residues; FLIP, test split"
    findings = (Finding("q3", mine.value, "", letters.value, source, True, _known(mine)),)
    trained = f", trained on {chains} chains" if chains else ""
    figure = figures.bars(
        ["Q3"],
        {who: [interval] for who, interval in found.items()},
        label="Share of residues",
        caption=f"Helix, strand or other by linear probes{trained}; intervals: 95 %, over chains.",
    )
    return Section("Secondary structure", findings, "", (figure,))


def invariance_section(difference: float, bound: float = INVARIANCE_BOUND) -> Section:
    """Whether an embedding depends on what else is asked.

    Args:
        difference: Largest relative difference of an embedding alone and in a batch.
        bound: What it is held to.
    """
    source = "each sequence alone, and among others in random batches"
    finding = Finding("batch_difference", difference, "", bound, source)
    return Section("The same answer in any batch", (finding,))


def _exactly(value: float | None) -> Interval:
    number = float("nan") if value is None else value
    return Interval(number, number, number)


def _known(interval: Interval) -> tuple[float, float] | None:
    """The ends of an interval, if there is one."""
    return interval.ends if np.isfinite(interval.ends).all() else None
