"""Masked marginals are those of a loop over single masks through Hugging Face's network."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from ansatz.protein.records import Texts
from ansatz.protein.request import Question
from ansatz.protein.variants import read_mutations, read_table, wild_type_of

WILD_TYPE = "MKTAYIAKQRGW"
MUTANTS = ["M1A", "K2R", "A4A", "W12C", "K2R:A4W:W12L", "k8r"]
LETTERS = "LAGVSERTIDPKQNFYMHWC"
DMS = Path(__file__).parents[3] / "shared/data/protein/dms"


def write(path, rows, header="mutant", first=f"# wt={WILD_TYPE}\n"):
    path.write_text(first + header + "\n" + "".join(f"{row}\n" for row in rows))
    return path


def naive(said, mutants, *, masked):
    """One mutation, one forward pass."""
    found = []
    for mutant in mutants:
        total = 0.0
        for word in mutant.upper().split(":"):
            at = int(word[1:-1])
            words = list(WILD_TYPE)
            if masked:
                words[at - 1] = "<mask>"
            logs = torch.log_softmax(said(words)[1][at].double(), -1)
            total += float(logs[4 + LETTERS.index(word[-1])] - logs[4 + LETTERS.index(word[0])])
        found.append(total)
    return np.array(found)


@pytest.mark.parametrize("marginals", ["masked", "wildtype"])
@pytest.mark.parametrize("batch_tokens", [1, 30, 16384])
def test_scores_are_those_of_a_naive_loop(ask, said, tmp_path, marginals, batch_tokens):
    table = write(tmp_path / "scan.csv", MUTANTS)
    answer = ask(Question(table, marginals=marginals, batch_tokens=batch_tokens))
    expected = naive(said, MUTANTS, masked=marginals == "masked")
    np.testing.assert_allclose(answer.scores, expected, rtol=0, atol=2e-5)
    assert answer.scores[2] == 0
    assert answer.scores[4] != pytest.approx(answer.scores[1] + answer.scores[3])


def test_both_marginals_differ(said):
    one, other = (naive(said, MUTANTS, masked=m) for m in (True, False))
    assert np.abs(one - other).max() > 1e-3


def test_columns_of_the_table_are_kept_and_scores_are_added(ask, tmp_path):
    rows = ['M1A,0.5,"a, b"', "K2R,-1,c"]
    table = write(tmp_path / "scan.csv", rows, "mutant,measured,note")
    answer = ask(Question(table))
    (path,) = answer.save(tmp_path / "out", "scan")
    with path.open(newline="") as file:
        held = list(csv.DictReader(file))
    assert list(held[0]) == ["mutant", "measured", "note", "score"]
    assert (held[0]["note"], held[1]["measured"]) == ("a, b", "-1")
    np.testing.assert_allclose([float(r["score"]) for r in held], answer.scores, rtol=1e-5)
    summary = answer.summary()
    assert (summary["variants"], summary["positions"], summary["residues"]) == (2, 2, 12)
    assert summary["score_min"] == min(answer.scores)

    taken = write(tmp_path / "taken.csv", ["M1A,3"], "mutant,score")
    (path,) = ask(Question(taken)).save(tmp_path / "out", "taken")
    assert path.read_text().startswith("mutant,score,model_score\nM1A,3,")


def test_an_answer_does_not_take_the_place_of_the_question(ask, tmp_path):
    table = write(tmp_path / "scan.csv", MUTANTS)
    with pytest.raises(ValueError, match="take the place"):
        ask(Question(table)).save(tmp_path, "scan")


@pytest.mark.parametrize("how", ["first line", "text", "fasta", "both", "records"])
def test_the_wild_type_is_of_the_table_or_the_sequence(ask, tmp_path, how):
    fasta = tmp_path / "wild.fasta"
    fasta.write_text(f">wild\n{WILD_TYPE[:5]}\n{WILD_TYPE[5:]}\n")
    expected = ask(Question(write(tmp_path / "a.csv", MUTANTS))).scores
    first = f"# wt={WILD_TYPE}\n" if how in ("first line", "both") else ""
    table = write(tmp_path / "b.csv", MUTANTS, first=first)
    sequences = {
        "first line": "",
        "text": WILD_TYPE.lower(),
        "fasta": fasta,
        "both": fasta,
        "records": Texts().read(fasta),
    }
    found = ask(Question(sequences[how], mutations=table))
    assert np.array_equal(found.scores, expected)


def test_a_compressed_table_with_windows_line_ends_is_read(ask, tmp_path):
    plain = write(tmp_path / "a.csv", MUTANTS)
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + plain.read_bytes().replace(b"\n", b"\r\n")))
    assert np.array_equal(ask(Question(packed)).scores, ask(Question(plain)).scores)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("A2R", "line 4: A2R says that the wild type has A at position 2, and it has K"),
        ("K0R", "line 4: K0R is at position 0, and the wild type has positions 1 to 12"),
        ("W13C", "line 4: W13C is at position 13.*1 to 12"),
        ("K2*", r"line 4: 'K2\*' is no mutation: expected one as A1B"),
        ("WT", "line 4: 'WT' is no mutation"),
        ("", "line 4: '' is no mutation"),
        ("K2X", "line 4: X in K2X is none of the twenty"),
        ("K2R:K2A", "line 4: K2R:K2A changes one position twice"),
    ],
)
def test_a_mutation_of_another_wild_type_is_refused_with_its_line(ask, tmp_path, row, words):
    table = write(tmp_path / "scan.csv", ["M1A,1", f"{row},1"], "mutant,n")
    with pytest.raises(ValueError, match=words):
        ask(Question(table))


def test_tables_and_wild_types_that_are_none_are_refused(ask, tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a table of mutations"):
        ask(Question("MK", mutations=tmp_path / "absent.csv"))
    table = write(tmp_path / "scan.csv", MUTANTS, first="")
    with pytest.raises(ValueError, match="names no wild type: give a sequence"):
        ask(Question(table))
    with pytest.raises(ValueError, match="holds 2 sequences"):
        ask(Question(f"{WILD_TYPE},MK", mutations=table))
    other = write(tmp_path / "other.csv", MUTANTS)
    with pytest.raises(ValueError, match="wild type of 12 residues, and the text has another one"):
        ask(Question("MKT", mutations=other))
    with pytest.raises(ValueError, match=r"columns variant: expected .* column 'mutant'"):
        ask(Question(write(tmp_path / "b.csv", MUTANTS, "variant")))
    with pytest.raises(ValueError, match="0 rows"):
        ask(Question(write(tmp_path / "c.csv", [])))
    with pytest.raises(ValueError, match="line 3: 2 values, and the header names 1"):
        ask(Question(write(tmp_path / "d.csv", ["M1A,2"])))


@pytest.mark.skipif(not DMS.exists(), reason="the shared data is not here")
@pytest.mark.parametrize(
    ("name", "variants"),
    [
        ("BLAT_ECOLX_Stiffler_2015", 4996),
        ("RL401_YEAST_Roscoe_2013", 1195),
        ("TPMT_HUMAN_Matreyek_2018", 3648),
    ],
)
def test_deep_mutational_scans_are_read_and_agree_with_their_wild_types(name, variants):
    table = read_table(DMS / f"{name}.csv.gz")
    wild_type = wild_type_of(table, Question(table.path), Texts())
    mutations = read_mutations(table, wild_type)
    assert len(table.rows) == len(mutations.variants) == variants
    assert (mutations.before != mutations.after).all()
