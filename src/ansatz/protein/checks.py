"""What a check says of a protein language model, section by section (`ansatz.protein.cases`)."""

from collections.abc import Sequence

import numpy as np
import torch

from ansatz.core.findings import Case, Section
from ansatz.protein.cases import Company, Folds, HeldOut
from ansatz.protein.corpus.alphabet import FIRST_RESIDUE, NUM_AMINO_ACIDS
from ansatz.protein.corpus.leakage import measure_leakage
from ansatz.protein.corpus.splits import read_split
from ansatz.protein.evaluation import baselines, sections, structure
from ansatz.protein.evaluation.kingdoms import kingdoms
from ansatz.protein.evaluation.perplexity import Guesses, tally
from ansatz.protein.evaluation.variants import Scan, agreement
from ansatz.report.statistics import Floats


def check_perplexity(cases: Sequence[Case]) -> Section:
    """Perplexity of held-out records, beside what counting knows."""
    (case,) = of_kind(cases, HeldOut)
    return sections.perplexity_section(rows_of(case), case.truth.clusters, case.truth.split)


def check_lengths(cases: Sequence[Case]) -> Section:
    """Perplexity by length."""
    (case,) = of_kind(cases, HeldOut)
    lengths = np.diff(case.truth.starts) - 2
    return sections.length_section(rows_of(case), case.truth.clusters, lengths)


def check_kingdoms(cases: Sequence[Case]) -> Section:
    """Perplexity by kingdom."""
    (case,) = of_kind(cases, HeldOut)
    names = case.truth.corpus.names()
    known = kingdoms(" ".join(names[record]) for record in case.truth.records.tolist())
    return sections.kingdom_section(rows_of(case), case.truth.clusters, known)


def check_leakage(cases: Sequence[Case]) -> Section:
    """What held-out records share with training."""
    (case,) = of_kind(cases, HeldOut)
    corpus = case.truth.corpus
    train, held_out = (read_split(corpus.folder, each) for each in ("train", case.truth.split))
    return sections.leakage_section(measure_leakage(corpus, train, held_out))


def check_invariance(cases: Sequence[Case]) -> Section:
    """Whether residues have the same embeddings in any company: other libraries pad, and differ.

    Attention stays inside each sequence. What is left is the order of sums in products of matrices
    with other numbers of rows: about 1e-6 of an embedding in float32, 1e-2 in bfloat16.
    """
    asked = [(case.truth.members, case.answer.embeddings) for case in of_kind(cases, Company)]
    alone = {members[0]: states for members, states in asked if len(members) == 1}
    gaps = [
        relative_gap(states, np.concatenate([alone[member] for member in members]))
        for members, states in asked
        if len(members) > 1
    ]
    return sections.invariance_section(float(np.max(gaps)))


def relative_gap(found: Floats, expected: Floats) -> float:
    """The largest distance of rows, in lengths of those expected."""
    distances = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
    return float(np.max(distances))


def check_variants(cases: Sequence[Case]) -> Section:
    """Scores of mutations against measured effects."""
    found = [agreement(case.truth, case.answer.scores) for case in of_kind(cases, Scan)]
    if not found:
        text = "No deep mutational scans were given: scans=FOLDER."
        return Section("Effects of mutations", text=text)
    return sections.variants_section(found)


def check_structure(cases: Sequence[Case]) -> Section:
    """What a linear probe reads off embeddings."""
    for case in of_kind(cases, Folds):
        train, test = case.truth.train, case.truth.test
        states = torch.from_numpy(case.answer.embeddings)
        seen, unseen = states[: len(train.tokens)], states[len(train.tokens) :]
        found = structure.compare(train, test, (seen, unseen))
        return sections.structure_section(found, len(train.starts) - 1)
    return Section("Secondary structure", text="No structures were given: structure=FILE.")


def of_kind(cases: Sequence[Case], kind: type) -> list[Case]:
    """The cases whose truth is of a kind."""
    return [case for case in cases if isinstance(case.truth, kind)]


def rows_of(case: Case) -> dict[str, Floats]:
    """Statistics of each record, for the model and for what counting knows."""
    truth: HeldOut = case.truth
    # Among residues, without <cls> and <eos>, a mask lies 2 i + 1 earlier in the i-th record.
    record = np.searchsorted(truth.starts, truth.places, "right") - 1
    said = case.answer.log_probabilities[truth.places - 2 * record - 1].astype(np.float64)
    column = truth.labels.astype(np.int64) - FIRST_RESIDUE
    is_amino = column < NUM_AMINO_ACIDS
    nll = -said[np.arange(len(said)), np.where(is_amino, column, 0)]
    models = {sections.MODEL: Guesses(nll[is_amino], (said.argmax(1) == column)[is_amino])}
    for name, table in truth.counted.items():
        found = baselines.look_up(table, truth.seen, truth.places, truth.labels)
        models[name] = Guesses(found.nll[is_amino], found.correct[is_amino])
    return {
        name: tally(each, truth.places[is_amino], truth.starts) for name, each in models.items()
    }


CHECKS = (
    check_perplexity,
    check_lengths,
    check_kingdoms,
    check_variants,
    check_structure,
    check_invariance,
    check_leakage,
)
