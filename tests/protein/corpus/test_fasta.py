import random

import numpy as np
import pytest

from ansatz.protein.corpus.alphabet import decode, encode
from ansatz.protein.corpus.fasta import Place, read_blocks

LAST = b">last\nMK\n"  # a block ends before the last header that is there


def pieces(text, size):
    return iter([text[i : i + size] for i in range(0, len(text), size)])


def everything(text, size=1 << 20, **given):
    blocks = list(read_blocks(pieces(text, size), "x.fasta", **given))
    names = [name.decode() for block in blocks for name in block.ids]
    return list(zip(names, (s for b in blocks for s in b.sequences), strict=True))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 61, 1000, 1 << 20])
def test_blocks_hold_the_records_whatever_the_pieces_are(uniprot, records, size):
    found = everything(uniprot.read_bytes(), size)
    assert [name for name, _ in found] == [name for name, _ in records]
    for (_, tokens), (_, sequence) in zip(found, records, strict=True):
        assert tokens == encode(sequence).tobytes()


def test_offsets_cut_the_tokens_of_a_block_into_its_records(uniprot, records):
    block, _ = read_blocks(iter([uniprot.read_bytes() + LAST]))
    flat = np.frombuffer(block.tokens, np.uint8)
    cut = [decode(flat[a:b]) for a, b in zip(block.offsets, block.offsets[1:], strict=False)]
    assert cut == [sequence for _, sequence in records]
    assert block.offsets.dtype == np.int64


def test_the_layout_of_a_text_does_not_matter():
    plain = everything(b">a one\nMKTAYI\n>b\nGGG\n")
    for text in (
        b">a one\r\nMKT\r\nAYI\r\n>b\r\nGGG\r\n",
        b"\n \n>a one\nMKTAYI\n\n\n>b\n\nGGG",
        b">a one\nM\nK\nT\nA\nY\nI\n>b\ngg g*",
        b">a 5->3 one\nMKTAYI*\n>b >c\nGGG\n\n",
    ):
        for size in (1, 5, 100):
            assert everything(text, size) == plain


def test_stops_and_letters_without_a_token_are_counted_by_record():
    block, _ = read_blocks(iter([b">a\nMK\n>b\nMJJ*K\n*\n>c\nJM**\n" + LAST]))
    assert block.stops == {1: 1, 2: 2}
    assert block.unusual == {1: {"J": 2, "*": 1}, 2: {"J": 1}}
    assert block.sequences == [encode("MK").tobytes(), bytes([20, 3, 3, 3, 15]), bytes([3, 20])]


def test_a_header_of_uniref_tells_its_representative():
    text = b">UniRef50_A x n=1 Tax=B TaxID=9 RepID=A_X\r\nMK\n>b\nMK\n>c RepID=C_Y more\nMK\n"
    block, _ = read_blocks(iter([text + LAST]))
    assert block.ids == [b"UniRef50_A", b"b", b"c"]
    assert block.representatives == [b"A_X", b"", b"C_Y"]


@pytest.mark.parametrize("size", [40, 333, 1 << 20])
def test_reading_on_at_a_place_gives_the_rest(random_fasta, size):
    text = random_fasta(60)
    blocks = list(read_blocks(pieces(text, 500)))
    whole = everything(text)
    for block in random.Random(0).sample(blocks, 5):
        start = block.start
        assert text[: start.byte].count(b"\n") + 1 == start.line
        assert everything(text[start.byte :], size, start=start) == whole[start.record :]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"MKT\n>a\nMKT\n", 1, "expected a header"),
        (b"\n\nMKT\n", 3, "expected a header"),
        (b">a\nMKT\n> b\nMKT\n", 3, "without an id"),
        (b">a\nMKT\n>\nMKT\n", 3, "without an id"),
        (b">a\nMKT\n>b\n>c\nMKT\n", 3, "without a sequence"),
        (b">a\nMKT\n>b\n*\n", 3, "without a sequence"),
        (b">a\nMKT\n>b", 3, "without a sequence"),
        (b">a\nMKT\nMK1T\n", 3, "column 3: '1' is no residue"),
        (b">a\nMKT\n>b\nMK\x00T\n", 4, "is no residue"),
        (b">a\nMKT\n>b\nM\xffT\n", 4, "is no residue"),
        (b">a\nMKT\n >b\nMKT\n", 3, "'>' is no residue"),
    ],
)
@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_fault_is_named_with_its_line(text, line, reason, size):
    with pytest.raises(ValueError, match=rf"x\.fasta, line {line}\b.*{reason}"):
        everything(text, size)


@pytest.mark.parametrize("text", [b"", b"\n \n"])
def test_a_text_without_records_is_refused(text):
    with pytest.raises(ValueError, match="holds no records"):
        everything(text)


def test_records_without_a_sequence_may_be_allowed():
    assert everything(b">a\n>b\nMK\n>c\n", allow_empty=True) == [
        ("a", b""),
        ("b", b"\x14\x0f"),
        ("c", b""),
    ]


def test_the_first_place_is_the_first_header():
    (block,) = read_blocks(iter([b"\n\n>a\nMK\n"]))
    assert block.start == Place(byte=2, line=3, record=0)
