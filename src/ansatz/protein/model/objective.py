"""What pretraining minimizes: the mean negative log likelihood of masked residues.

    L = -1/M Σ_i log p(residue i | the rest of its sequence)

over the M places that were masked, as Devlin et al. (arXiv:1810.04805, §3.1). Logits are computed
there only. Perplexity is exp L: 33 for a guess among all tokens, about 18 for the frequencies of
amino acids. The log's mean of a few steps' perplexities is a little above the exp of their mean
loss: quote perplexity from `check`, which takes it of a whole split.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ansatz.core.recipe import Loss
from ansatz.protein.corpus.alphabet import PAD
from ansatz.protein.model.network import EsmNetwork
from ansatz.trainer.meters import Work

NOT_ASKED = -100  # a label that counts for nothing


@dataclass(frozen=True)
class MaskedLanguage:
    """The loss of this module's text."""

    def __call__(self, model: nn.Module, batch: dict[str, Tensor], rng: torch.Generator) -> Loss:
        """The loss of a network on packed sequences.

        Args:
            model: An `ansatz.protein.model.network.EsmNetwork`.
            batch: `tokens` of packed sequences, shape (n,), with masks in place; `starts`, shape
                (sequences + 1,); `places` that were masked, shape (p,), and the `labels` there,
                shape (p,). A label of -100 fills up a batch of fixed size.
            rng: Not used: masks are in the batch.
        """
        logits = model(batch["tokens"], batch["starts"], batch["places"]).float()
        labels = batch["labels"].long()
        total = cross_entropy(logits, labels, ignore_index=NOT_ASKED)
        asked = labels != NOT_ASKED
        right = (logits.argmax(-1) == labels) & asked
        accuracy = right.sum() / asked.sum()
        return Loss(total, {"accuracy": accuracy, "perplexity": total.detach().exp()})

    def work(self, model: nn.Module, batch: dict[str, Tensor]) -> Work:
        """What a training step on a batch takes; padding is the last sequence, if there is any."""
        assert isinstance(model, EsmNetwork)
        lengths = batch["starts"].diff()
        idle = int((batch["tokens"] == PAD).sum())
        lengths[-1] -= idle
        tokens = int(lengths.sum())
        asked = int((batch["labels"] != NOT_ASKED).sum()) / tokens
        each = model.config.flops_per_token(lengths.tolist(), asked)
        return Work(tokens * each, idle)
