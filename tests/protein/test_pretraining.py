"""Pretraining that is killed, cut into parts, and taken over by another number of processes."""

import random
import signal
from dataclasses import replace

import pretraining
import pytest
import torch
from processes import together
from safetensors.torch import load_file
from sine import sha256

from ansatz.protein.dataset import Sequences
from ansatz.protein.recipes import UNIPROT
from ansatz.trainer.journal import read_log

RECORDS = 40


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A corpus of random sequences."""
    rng, folder = random.Random(4), tmp_path_factory.mktemp("corpus")
    bodies = [
        "".join(rng.choices("ACDEFGHIKLMNPQRSTVWY", k=rng.randint(10, 70))) for _ in range(RECORDS)
    ]
    (folder / "sequences.fasta").write_text("".join(f">r{i}\n{b}\n" for i, b in enumerate(bodies)))
    Sequences(UNIPROT, validation=1000, test=1000).fill(folder, folder / "store")
    return folder / "store"


def digests(folder):
    """What the run saw, by step and place in the step."""
    return {path.name: path.read_text() for path in (folder / "seen").iterdir()}


def test_pretraining_killed_at_a_random_step_ends_with_the_same_bits(store, tmp_path):
    config = pretraining.shrunken().train
    fatal = random.SystemRandom().randint(1, config.steps - 1)
    codes = together(1, pretraining.train, store, tmp_path / "killed", config, fatal)
    assert codes == [-signal.SIGKILL]
    assert not (tmp_path / "killed/model.safetensors").exists()

    for name in ("killed", "straight"):
        assert together(1, pretraining.train, store, tmp_path / name, config) == [0]

    ends = [sha256(tmp_path / name / "model.safetensors") for name in ("killed", "straight")]
    assert ends[0] == ends[1], f"killed in step {fatal}"
    assert digests(tmp_path / "killed") == digests(tmp_path / "straight")


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"ranks": 2, "accumulate": 1, "sharded": True}, {"ranks": 1, "accumulate": 2}),
        ({"ranks": 1, "accumulate": 2}, {"ranks": 2, "accumulate": 1, "sharded": True}),
    ],
    ids=["two to one", "one to two"],
)
def test_another_number_of_processes_takes_over_sequences_and_weights(first, then, store, tmp_path):
    exact = pretraining.shrunken(precision="fp32", accumulate=2).train
    assert together(1, pretraining.train, store, tmp_path / "straight", exact) == [0]
    for stage, fatal in ((first, 6), (then, -1)):
        how = {name: value for name, value in stage.items() if name != "ranks"}
        words = (store, tmp_path / "changed", replace(exact, **how), fatal)
        codes = together(stage["ranks"], pretraining.train, *words)
        assert codes == [-signal.SIGKILL if fatal > 0 else 0] * stage["ranks"]

    notes = [row.get("note", "") for row in read_log(tmp_path / "changed/log.jsonl")]
    assert any("resumed from" in note and "step-00000004" in note for note in notes)
    assert digests(tmp_path / "changed") == digests(tmp_path / "straight")
    one, two = (
        load_file(tmp_path / name / "model.safetensors") for name in ("straight", "changed")
    )
    assert one.keys() == two.keys()
    for name, value in one.items():
        # Sums over sequences are taken in another order.
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-4)
