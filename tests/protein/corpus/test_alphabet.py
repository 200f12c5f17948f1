import numpy as np
import pytest

from ansatz.protein.corpus.alphabet import CLS, EOS, MASK, PAD, TOKENS, UNK, decode, encode


def test_the_tokens_are_those_of_esm2_in_their_order():
    vocabulary = (
        "<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - "
        "<null_1> <mask>"
    )
    assert " ".join(TOKENS) == vocabulary
    assert [TOKENS[i] for i in (CLS, PAD, EOS, UNK, MASK)] == (
        ["<cls>", "<pad>", "<eos>", "<unk>", "<mask>"]
    )


def test_letters_become_tokens_and_letters_again():
    assert encode("LAGVSERTIDPKQNFYMHWCXBUZO.-").tolist() == list(range(4, 31))
    assert decode(encode("mkt aYi\nAK")) == "MKTAYIAK"


def test_a_letter_without_a_token_is_unknown_and_a_last_stop_is_dropped():
    assert encode("MJ*K*").tolist() == [20, UNK, UNK, 15]
    assert decode(np.array([0, 20, 32, 2], np.uint8)) == "<cls>M<mask><eos>"


@pytest.mark.parametrize("sequence", ["MK3", "MK>L", "MK\0", "MKé", "<mask>"])
def test_what_is_no_residue_is_refused(sequence):
    with pytest.raises(ValueError, match="is no residue"):
        encode(sequence)
