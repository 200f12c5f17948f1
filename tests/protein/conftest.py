"""A small ESM-2 of Hugging Face's with random weights, and the predictor of its checkpoint."""

import pytest
import torch
from packed_sequences import stirred
from transformers import EsmConfig, EsmForMaskedLM

from ansatz.protein.model.config import Esm
from ansatz.protein.model.interchange.writing import configuration
from ansatz.protein.predictor import load_proteins

SHAPE = Esm(layers=2, width=32, heads=4, longest=64)
# As the vocabulary file of `facebook/esm2_t6_8M_UR50D` has them.
SPECIAL = ["<cls>", "<pad>", "<eos>", "<unk>"]
VOCABULARY = [*SPECIAL, *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"]


@pytest.fixture(scope="session")
def theirs():
    torch.manual_seed(3)
    return stirred(EsmForMaskedLM(EsmConfig(**configuration(SHAPE)))).eval()


@pytest.fixture(scope="session")
def checkpoint(theirs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("esm2")
    theirs.save_pretrained(folder)
    return folder


@pytest.fixture
def proteins(checkpoint):
    return load_proteins(checkpoint)


@pytest.fixture(scope="session")
def said(theirs):
    """What Hugging Face's network says of one sequence of letters: states and logits."""

    def ask(letters):
        words = ["<cls>", *(letters if isinstance(letters, list) else letters.upper()), "<eos>"]
        unk = VOCABULARY.index("<unk>")
        ids = [VOCABULARY.index(w) if w in VOCABULARY else unk for w in words]
        tokens = torch.tensor([ids])
        with torch.no_grad():
            out = theirs(
                input_ids=tokens, attention_mask=torch.ones_like(tokens), output_hidden_states=True
            )
        return out.hidden_states[-1][0], out.logits[0]

    return ask


@pytest.fixture
def ask(proteins):
    """The whole way of a question through the predictor."""

    def one(question):
        encoded = proteins.encode(question)
        return proteins.decode(proteins.forward(encoded.tensors), encoded)

    return one
