"""The protein recipes: a small model on embedded sequences, and the published shapes on UniRef50.

The large ones share one corpus: `ansatz fetch protein/uniref50`, `ansatz prepare protein/uniref50`,
then `ansatz train protein/esm2-8m` or any other.
"""

from dataclasses import replace
from functools import partial

from ansatz.core.recipe import Manifest, Recipe, RemoteFile, Stacking, TrainConfig
from ansatz.protein.batches import cost, together
from ansatz.protein.checks import CHECKS
from ansatz.protein.corpus.masking import BIONEMO_1_2
from ansatz.protein.dataset import Draws, Sequences
from ansatz.protein.model.config import ESM1NV, ESM2, Esm
from ansatz.protein.model.objective import MaskedLanguage
from ansatz.protein.predictor import load_proteins
from ansatz.protein.request import SUFFIXES, Question, parts

UNIPROT = Manifest(
    "embedded:ansatz.protein/embedded/uniprot",
    (RemoteFile("sequences.fasta.gz"), RemoteFile("clusters.tsv.gz")),
    "CC-BY-4.0",
)
UNIREF = "databases/uniprot/current_release/uniref/uniref50"
# A new release takes the place of the old one every eight weeks: digests cannot be pinned here.
UNIREF50 = Manifest(
    f"https://ftp.uniprot.org/pub/{UNIREF}",
    (RemoteFile("uniref50.fasta.gz"), RemoteFile("uniref50.release_note", required=False)),
    "CC-BY-4.0",
    mirrors=(f"https://ftp.ebi.ac.uk/pub/{UNIREF}", f"https://ftp.expasy.org/{UNIREF}"),
    checksums="RELEASE.metalink",
)
SMALL = Esm(layers=6, width=128, heads=8)
# Lin et al., Science 379 (2023), supplement: two million tokens a step, 500,000 steps.
ESM2_TRAINING = TrainConfig(
    steps=500_000,
    batch_size=64,
    accumulate=8,
    learning_rate=4e-4,
    beta2=0.98,
    warmup_steps=2000,
    schedule="linear",
    final_rate=0.1,
    weight_decay=0.01,
    precision="bf16",
    save_every=1000,
)
# BioNeMo 1, examples/protein/esm1nv.
ESM1NV_TRAINING = replace(
    ESM2_TRAINING,
    steps=1_000_000,
    batch_size=8,
    accumulate=1,
    learning_rate=2e-4,
    warmup_steps=500,
    schedule="cosine",
)


def small() -> Recipe:
    """A small ESM-2 on embedded sequences."""
    return Recipe(
        name="protein/small",
        title="embeddings, masked residues and variants by a small ESM-2",
        data=Sequences(UNIPROT, validation=20_000, test=20_000),
        model=SMALL,
        objective=MaskedLanguage(),
        request=Question,
        predictor=load_proteins,
        train=TrainConfig(
            steps=1500,
            batch_size=32,
            optimizer="muon",
            learning_rate=3e-3,
            weight_decay=0.01,
            warmup_steps=100,
            final_rate=0.05,
            precision="bf16",
            ema_decay=0.998,
        ),
        suffixes=SUFFIXES,
        parts=parts,
        checks=CHECKS,
        stacking=Stacking(together, cost, most=65_536),
        dialects={
            "esm2-nim": "ansatz.protein.nim:ESM2",
            "embeddings": "ansatz.protein.nim:EMBEDDINGS",
        },
        shipped="ansatz.protein/embedded/small",
    )


def uniref50() -> Recipe:
    """The corpus of the large models, with the smallest of them."""
    return replace(
        small(),
        name="protein/uniref50",
        title="UniRef50 for pretraining, with an ESM-2 of 8 M parameters",
        data=Sequences(UNIREF50),
        model=ESM2["8m"],
        train=ESM2_TRAINING,
        shipped="",
    )


def esm1nv() -> Recipe:
    """BioNeMo's ESM-1nv, with the masks of its container of February 2024."""
    draws = Draws(longest=512, masking=BIONEMO_1_2)
    return replace(
        uniref50(),
        name="protein/esm1nv",
        title="ESM-1nv, 44 M parameters",
        data=Sequences(UNIREF50, draws=draws),
        model=ESM1NV,
        train=ESM1NV_TRAINING,
        shares="protein/uniref50",
    )


def _esm2(size: str) -> Recipe:
    train = ESM2_TRAINING
    if size in ("3b", "15b"):
        train = replace(train, warmup_steps=20_000, sharded=True)
    if size == "15b":
        train = replace(train, learning_rate=1.6e-4, weight_decay=0.1)
    return replace(
        uniref50(),
        name=f"protein/esm2-{size}",
        title=f"ESM-2, {size.upper()} parameters",
        model=ESM2[size],
        train=train,
        shares="protein/uniref50",
    )


esm2_8m, esm2_35m, esm2_150m, esm2_650m, esm2_3b, esm2_15b = (partial(_esm2, s) for s in ESM2)
