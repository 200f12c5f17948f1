import gzip

import numpy as np
import pytest
from scipy import stats

from ansatz.protein.evaluation import variants
from ansatz.protein.evaluation.variants import BLOSUM62, Scan

ORDER = "ARNDCQEGHILKMFPSTWYV"


def entry(a, b):
    return BLOSUM62[ORDER.index(a), ORDER.index(b)]


def write(path, text):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_blosum62_has_the_entries_of_its_paper():
    assert (BLOSUM62 == BLOSUM62.T).all()
    assert entry("W", "W") == 11
    assert entry("C", "C") == 9
    assert (entry("I", "V"), entry("D", "E"), entry("W", "C"), entry("Y", "H")) == (3, 2, -2, 2)
    diagonal = [4, 5, 6, 6, 9, 5, 5, 6, 8, 4, 4, 5, 5, 6, 7, 4, 5, 11, 7, 4]
    assert np.diag(BLOSUM62).tolist() == diagonal


def test_blosum62_expects_the_score_that_it_was_made_with():
    # Robinson and Robinson (PNAS 88:8880, 1991), the background of NCBI's BLAST, per thousand.
    background = dict(zip(ORDER, (78, 51, 45, 54, 19, 43, 63, 74, 22, 51, 91, 57, 22, 39, 52, 71, 58, 13, 32, 64), strict=True))  # fmt: skip  # noqa: E501
    p = np.array(list(background.values())) / sum(background.values())
    # λ solves Σ p p e^(λ s) = 1; BLAST's is 0.3176 nats, half a bit being 0.3466.
    assert p @ np.exp(0.3176 * BLOSUM62) @ p == pytest.approx(1, abs=5e-3)


def test_scores_of_a_matrix_add_up_over_mutations():
    scores = variants.blosum62(["A1W", "I2V", "A1W:I2V"])
    np.testing.assert_array_equal(scores, [-3, 3, 0])


def test_a_scan_is_read_with_its_wild_type(tmp_path):
    text = "# wt=MKT\nmutant,score\nM1A,-1.5\nK2R:T3S,0.25\n"
    for name in ("assay.csv", "assay.csv.gz"):
        scan = variants.read_scan(write(tmp_path / name, text))
        assert (scan.name, scan.wild_type, scan.mutants) == ("assay", "MKT", ("M1A", "K2R:T3S"))
        assert scan.fitness.tolist() == [-1.5, 0.25]


@pytest.mark.parametrize("mutant", ["A1M", "M0A", "M4A", "K2", "M1A:T2S", "m1a", "M1X"])
def test_a_mutation_of_another_protein_is_refused(mutant, tmp_path):
    path = write(tmp_path / "assay.csv", f"# wt=MKT\nmutant,score\n{mutant},1\n")
    with pytest.raises(ValueError, match=r"assay\.csv: .* is no mutation .* from 1 to 3"):
        variants.read_scan(path)


def test_a_table_of_something_else_is_refused(tmp_path):
    path = write(tmp_path / "assay.csv", "mutant,score\nM1A,1\n")
    with pytest.raises(ValueError, match=r"expected '# wt=SEQUENCE'"):
        variants.read_scan(path)


def test_agreement_is_the_rank_correlation_of_scipy():
    rng = np.random.default_rng(0)
    mutants = tuple(f"A{i + 1}{letter}" for i, letter in enumerate(rng.choice(list(ORDER), 80)))
    fitness = rng.normal(size=80).round(1)
    scores = fitness + rng.normal(size=80)
    found = variants.agreement(Scan("mine", "A" * 80, mutants, fitness), scores, resamples=200)
    assert found.model.value == pytest.approx(stats.spearmanr(fitness, scores).statistic)
    matrix = [entry("A", mutant[-1]) for mutant in mutants]
    assert found.matrix.value == pytest.approx(stats.spearmanr(fitness, matrix).statistic)
    assert found.model.low < found.model.value < found.model.high
    assert found.published == {}


def test_scores_that_are_too_few_are_refused():
    scan = Scan("mine", "AA", ("A1G", "A2G"), np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="belong together"):
        variants.agreement(scan, [1.0])


def test_published_numbers_are_those_of_the_file(shared):
    header, *rows = (shared / "dms/proteingym_reference_spearman.csv").read_text().splitlines()
    columns = header.split(",")[2:]
    ours = ("site-independent", "ESM-1b", "ESM-1v", "ESM-2 8M", "ESM-2 35M", "ESM-2 150M",
            "ESM-2 650M", "ESM-C 300M")  # fmt: skip
    assert len(columns) == len(ours)
    for row in rows:
        name, _, *values = row.split(",")
        known = variants.published(name.replace("RL40A", "RL401"))
        assert [known[who] for who in ours] == [float(value) for value in values]


def test_a_real_scan_agrees_with_the_matrix_a_little(shared):
    scan = variants.read_scan(shared / "dms/BLAT_ECOLX_Stiffler_2015.csv.gz")
    assert len(scan.mutants) == 4996
    rho = stats.spearmanr(variants.blosum62(scan.mutants), scan.fitness).statistic
    # Above nothing, and below a model that has seen the family.
    assert 0.2 < rho < variants.published(scan.name)["site-independent"]
