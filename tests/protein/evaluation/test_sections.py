import numpy as np
import pytest

from ansatz.protein.corpus.leakage import Leakage
from ansatz.protein.evaluation import sections
from ansatz.protein.evaluation.baselines import BIGRAM, NEIGHBORS, UNIGRAM
from ansatz.protein.evaluation.sections import MODEL
from ansatz.protein.evaluation.structure import EMBEDDINGS, LETTERS, MAJORITY
from ansatz.protein.evaluation.variants import Agreement, published
from ansatz.report import page
from ansatz.report.statistics import Interval

CLUSTERS = np.arange(60) // 2


def rows(perplexity, accuracy):
    rng = np.random.default_rng(0)
    counts = rng.integers(5, 60, 60)
    nll = counts * (np.log(perplexity) + rng.normal(0, 0.05, 60))
    nll += counts * (np.log(perplexity) - nll.sum() / counts.sum())
    return np.stack([nll, counts, counts * accuracy], axis=1)


@pytest.fixture
def better():
    return {
        MODEL: rows(12.0, 0.2),
        UNIGRAM: rows(18.0, 0.09),
        BIGRAM: rows(17.5, 0.1),
        NEIGHBORS: rows(17.0, 0.11),
    }


@pytest.fixture
def leakage():
    containment = np.array([0.0, 0.0, 0.3, 0.1, 0.05])
    return Leakage(5, 0, 5, 100, containment, np.arange(5), np.arange(5))


def named(section):
    return {finding.name: finding for finding in section.findings}


def test_a_model_is_held_to_what_counting_knows(better):
    found = named(sections.perplexity_section(better, CLUSTERS))
    assert found["perplexity"].value == pytest.approx(12)
    assert found["perplexity"].bound == pytest.approx(17.5)
    assert found["perplexity_over_neighbors"].value == pytest.approx(12 / 17)
    assert all(finding.passed for finding in found.values())


def test_a_model_that_only_counts_fails(better):
    found = named(sections.perplexity_section(better | {MODEL: better[UNIGRAM]}, CLUSTERS))
    assert not any(finding.passed for finding in found.values())


def test_lengths_and_kingdoms_have_a_row_each_with_every_model(better):
    lengths = np.where(np.arange(60) < 30, 100, 300)
    section = sections.length_section(better, CLUSTERS, lengths)
    assert list(named(section)) == ["perplexity_below_128", "perplexity_256_to_511"]
    assert section.tables[0].header[3:] == (MODEL, UNIGRAM, BIGRAM, NEIGHBORS)
    assert sum(row[1] for row in section.tables[0].rows) == 60
    section = sections.kingdom_section(better, CLUSTERS, ["Bacteria"] * 59 + ["Viruses"])
    assert [row[:2] for row in section.tables[0].rows] == [["Bacteria", 59], ["Viruses", 1]]
    assert named(section)["perplexity_Viruses"].interval is None


def test_a_copy_in_training_fails_and_distant_relatives_do_not(leakage):
    found = named(sections.leakage_section(leakage, aligned=2))
    assert found["copies_in_training"].passed
    assert found["share_at_90_percent_identity"].value == 0
    # 0.8^7 is 0.21 and 0.7^7 is 0.08.
    assert found["share_at_80_percent_identity"].value == pytest.approx(0.2)
    assert found["share_at_70_percent_identity"].value == pytest.approx(0.4)
    assert found["share_aligned_at_50_percent"].value == pytest.approx(0.4)
    copied = Leakage(5, 1, 5, 100, np.ones(5), np.arange(5), np.arange(5))
    found = named(sections.leakage_section(copied))
    assert not found["copies_in_training"].passed
    assert not found["share_at_90_percent_identity"].passed


def test_embeddings_are_held_to_the_letters_around_a_residue():
    letters, commonest = Interval(0.62, 0.6, 0.64), Interval(0.4, 0.38, 0.42)
    for value, passed in ((0.7, True), (0.6, False)):
        mine = Interval(value, value - 0.01, value + 0.01)
        given = {EMBEDDINGS: mine, LETTERS: letters, MAJORITY: commonest}
        (finding,) = sections.structure_section(given, 500).findings
        assert (finding.value, finding.bound, finding.passed) == (value, 0.62, passed)


def test_an_answer_that_depends_on_the_batch_fails():
    assert sections.invariance_section(5e-6).findings[0].passed
    assert not sections.invariance_section(1e-2).findings[0].passed
    assert not sections.invariance_section(float("nan")).findings[0].passed


def test_all_sections_make_one_page(better, leakage, tmp_path):
    known = Agreement(
        "TPMT_HUMAN_Matreyek_2018", 3648, Interval(0.3, 0.2, 0.4), Interval(0.2, 0.1, 0.3),
        published("TPMT_HUMAN_Matreyek_2018"),
    )  # fmt: skip
    unknown = Agreement("mine", 10, Interval(0.3, 0.2, 0.4), Interval(0.2, 0.1, 0.3))
    everything = [
        sections.perplexity_section(better, CLUSTERS),
        sections.length_section(better, CLUSTERS, np.arange(60) * 30 + 1),
        sections.kingdom_section(better, CLUSTERS, ["Bacteria"] * 60),
        sections.leakage_section(leakage),
        sections.variants_section([known, unknown]),
        sections.variants_section([unknown]),
        sections.structure_section(dict.fromkeys((EMBEDDINGS, LETTERS, MAJORITY), known.model)),
        sections.invariance_section(3e-6),
    ]
    html = page.write(everything, tmp_path, recipe="protein/small").read_text()
    for word in ("ESM-2 650M", "0.561", "Identity to the nearest training record", "60 records"):
        assert word in html
