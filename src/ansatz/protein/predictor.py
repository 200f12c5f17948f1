"""From sequences to embeddings, probabilities and scores: the predictor of proteins.

encode   read the records of a part, sort them by length, pack them             (host)
forward  states and logits where they are wanted, batch by batch                (device)
decode   back into the order of the question                                    (host)
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ansatz.core.artifacts import PROVENANCE
from ansatz.core.recipe import Encoded
from ansatz.engine.trained import trained
from ansatz.protein.answer import Embedded, Scored
from ansatz.protein.batches import Tensors, evaluate, packed, residues
from ansatz.protein.corpus.alphabet import FIRST_RESIDUE, MASK, NUM_AMINO_ACIDS
from ansatz.protein.corpus.packing import SPECIAL
from ansatz.protein.model.config import Esm
from ansatz.protein.model.interchange.reading import read
from ansatz.protein.model.network import EsmNetwork
from ansatz.protein.records import Part, Records, Texts, typed
from ansatz.protein.request import Pooling, Question
from ansatz.protein.variants import AskedVariants, encode_variants

LAST_AMINO_ACID = FIRST_RESIDUE + NUM_AMINO_ACIDS - 1


@dataclass(frozen=True)
class AskedRecords:
    """What embeddings are given back with.

    Attributes:
        records: In the order of the question.
        order: In which the network gets them.
        pooling: Which embeddings are wanted.
    """

    records: Records
    order: NDArray[np.int64]
    pooling: Pooling

    def answer(self, outputs: Tensors) -> Embedded:
        """Put outputs back in order."""
        lengths = self.records.lengths
        embeddings = None
        if self.pooling == "residue":
            embeddings = self._of_residues(outputs["rows"])
        elif self.pooling != "none":
            embeddings = outputs["pooled"][self._back]
        log_probabilities = None
        if len(outputs["logits"]):
            of_amino_acids = outputs["logits"][:, FIRST_RESIDUE : LAST_AMINO_ACID + 1]
            log_probabilities = self._of_residues(of_amino_acids.float().log_softmax(-1))
        is_mask = np.concatenate(self.records.sequences) == MASK
        return Embedded(
            ids=self.records.ids,
            offsets=np.concatenate(([0], np.cumsum(lengths))),
            embeddings=None if embeddings is None else embeddings.float().numpy(),
            log_probabilities=None if log_probabilities is None else log_probabilities.numpy(),
            masks=np.flatnonzero(is_mask),
            unknown=self.records.unknown,
        )

    @property
    def _back(self) -> Tensor:
        """Where the network has each record."""
        return torch.from_numpy(np.argsort(self.order))

    def _of_residues(self, rows: Tensor) -> Tensor:
        pieces = torch.split(rows, self.records.lengths[self.order].tolist())
        return torch.cat([pieces[index] for index in self._back.tolist()])


@dataclass(frozen=True)
class Proteins:
    """The predictor of a checkpoint.

    Attributes:
        network: As for prediction.
        texts: Read the files that questions name.
    """

    network: EsmNetwork
    texts: Texts = field(default_factory=Texts, compare=False, repr=False)

    def encode(self, request: Question) -> Encoded[AskedRecords | AskedVariants]:
        """Read what is asked about, and pack it.

        Raises:
            OSError: If a file cannot be read.
            ValueError: If it holds what is no protein, one that is too long for the network, or
                a mutation that is none of its wild type.
        """
        return self._variants(request) if request.table is not None else self._records(request)

    def forward(self, tensors: Tensors) -> Tensors:
        """Evaluate the network; see `ansatz.protein.batches`."""
        return evaluate(self.network, tensors)

    def decode(
        self, outputs: Tensors, encoded: Encoded[AskedRecords | AskedVariants]
    ) -> Embedded | Scored:
        """Give numbers their places in the question."""
        return encoded.context.answer(outputs)

    def _variants(self, request: Question) -> Encoded[AskedRecords | AskedVariants]:
        assert request.table is not None
        encoded = encode_variants(request.table, request, self.texts)
        self._require_places("the wild type", len(encoded.context.wild_type))
        return Encoded(encoded.tensors, encoded.context)

    def _records(self, request: Question) -> Encoded[AskedRecords | AskedVariants]:
        asked = request.sequences
        records = self._read(asked)
        order = np.argsort(-records.lengths, kind="stable")
        self._require_places(records.ids[order[0]], int(records.lengths[order[0]]))
        tensors = packed([records.sequences[i] for i in order], request.batch_tokens)
        inside = residues(tensors)
        starts = tensors["starts"]
        if request.embeddings == "mean":
            tensors["ranges"] = torch.stack([starts[:-1] + 1, starts[1:] - 1], 1)
        elif request.embeddings == "cls":
            tensors["ranges"] = torch.stack([starts[:-1], starts[:-1] + 1], 1)
        elif request.embeddings == "residue":
            tensors["rows"] = inside
        if request.probabilities:
            tensors["places"] = inside
        return Encoded(tensors, AskedRecords(records, order, request.embeddings))

    def _read(self, asked: Path | str | Part | Records) -> Records:
        if isinstance(asked, Records):
            return asked
        return typed(asked) if isinstance(asked, str) else self.texts.read(asked)

    def _require_places(self, name: str, length: int) -> None:
        """Refuse a sequence that is longer than learned positions."""
        config = self.network.config
        if config.positions == "learned" and length + SPECIAL > config.longest:
            raise ValueError(
                f"{name} has {length} residues, and this network learned positions of "
                f"{config.longest - SPECIAL}: cut it into pieces, or take an ESM-2, which has no "
                "such limit"
            )


# ------------------------------------------------------------------------------------ checkpoints
def load_proteins(folder: Path) -> Proteins:
    """Load a checkpoint.

    Args:
        folder: Of `ansatz train`; or a folder or file of Hugging Face, fair-esm or BioNeMo.

    Raises:
        FileNotFoundError: If there is no checkpoint.
        ValueError: If it is of another kind of network, or damaged.
    """
    own = (folder / PROVENANCE).exists()
    return Proteins(trained(folder, Esm, "protein") if own else read(folder).eval())
