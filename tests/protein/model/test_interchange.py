"""The same logits as Hugging Face's network, from its files and through ours."""

import json
from argparse import Namespace

import pytest
import torch
from packed_sequences import packed, padded, sequences, stirred, without_padding
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, EsmConfig, EsmForMaskedLM
from transformers.models.esm import modeling_esm

from ansatz.protein.corpus.alphabet import TOKENS
from ansatz.protein.model.config import ESM1NV, ESM2, Esm
from ansatz.protein.model.interchange.names import HF
from ansatz.protein.model.interchange.reading import read
from ansatz.protein.model.interchange.writing import configuration, state, write

SMALL = Esm(layers=3, width=48, heads=4, longest=64)
SHAPES = {
    "ESM-2": SMALL,
    "heads of 8": Esm(layers=2, width=32, heads=4, longest=64),
    "ESM-1nv": Esm(
        layers=2, width=48, heads=4, positions="learned", longest=64, token_dropout=False
    ),
    "ESM-1b": Esm(
        layers=2, width=48, heads=4, positions="learned", longest=64, embedding_norm=True
    ),
}


def theirs(config: Esm) -> EsmForMaskedLM:
    """Hugging Face's network of a shape, with random weights, norms and biases."""
    torch.manual_seed(1)
    network = EsmForMaskedLM(EsmConfig(**configuration(config)))
    return stirred(network).eval()


def logits_of(network: EsmForMaskedLM, parts) -> torch.Tensor:
    tokens, mask = padded(parts)
    with torch.no_grad():
        return without_padding(network(input_ids=tokens, attention_mask=mask).logits, parts)


@pytest.mark.parametrize("name", list(SHAPES))
def test_logits_are_those_of_hugging_face_with_padding_and_without(name, tmp_path):
    network, parts = theirs(SHAPES[name]), sequences()
    network.save_pretrained(tmp_path)
    ours = read(tmp_path).eval()

    with torch.no_grad():
        found = ours(*packed(parts))
        alone = [network(p[None], attention_mask=torch.ones_like(p[None])).logits[0] for p in parts]
    assert ours.config == SHAPES[name]
    torch.testing.assert_close(found, logits_of(network, parts), rtol=0, atol=1e-5)
    torch.testing.assert_close(found, torch.cat(alone), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", list(SHAPES))
def test_in_float64_they_agree_to_rounding(name, tmp_path, monkeypatch):
    # Their rotation rounds float64 queries to float32, which hides any other difference.
    def turn(q, k, cos, sin, unsqueeze_dim=1):
        cos, sin, half = cos.unsqueeze(1), sin.unsqueeze(1), modeling_esm.rotate_half
        return q * cos + half(q) * sin, k * cos + half(k) * sin

    monkeypatch.setattr(modeling_esm, "apply_rotary_pos_emb", turn)
    network, parts = theirs(SHAPES[name]), sequences()
    network.save_pretrained(tmp_path)
    with torch.no_grad():
        found = read(tmp_path).double()(*packed(parts))
    torch.testing.assert_close(found, logits_of(network.double(), parts), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", list(SHAPES))
def test_what_is_written_opens_in_transformers_with_nothing_missing(name, tmp_path):
    torch.manual_seed(0)
    ours, parts = stirred(SHAPES[name].build()).eval(), sequences()
    write(ours, tmp_path)
    opened, about = EsmForMaskedLM.from_pretrained(tmp_path, output_loading_info=True)

    assert not about["missing_keys"]
    assert not about["unexpected_keys"]
    assert not about["mismatched_keys"]
    with torch.no_grad():
        found = ours(*packed(parts))
    torch.testing.assert_close(logits_of(opened.eval(), parts), found, rtol=0, atol=1e-5)
    head = opened.esm.contact_head.regression
    assert torch.equal(head.weight, ours.contacts.weight)


@pytest.mark.parametrize("name", list(SHAPES))
def test_written_and_read_again_is_the_same_network(name, tmp_path):
    ours = stirred(SHAPES[name].build())
    write(ours, tmp_path)
    again = read(tmp_path)
    assert again.config == ours.config
    assert all(torch.equal(t, again.state_dict()[k]) for k, t in ours.state_dict().items())
    assert [p.requires_grad for p in again.parameters()] == [
        p.requires_grad for p in ours.parameters()
    ]


def test_frequencies_that_a_file_rounded_are_kept_and_written_back(tmp_path):
    ours = stirred(SMALL.build()).eval()
    write(ours, tmp_path)
    held = load_file(tmp_path / "model.safetensors")
    rounded = {k: t.half() if k.endswith("inv_freq") else t for k, t in held.items()}
    save_file(rounded, tmp_path / "model.safetensors", {"format": "pt"})

    again, exact = read(tmp_path).eval(), ours.get_buffer("frequencies")
    assert torch.equal(again.get_buffer("frequencies"), exact.half().float())
    assert not torch.equal(again.get_buffer("frequencies"), exact)

    parts = sequences()
    write(again, tmp_path / "back")
    opened = EsmForMaskedLM.from_pretrained(tmp_path / "back")
    assert torch.equal(opened.esm.rotary_embeddings.inv_freq, exact.half().float())
    with torch.no_grad():
        found = again(*packed(parts))
    torch.testing.assert_close(logits_of(opened.eval(), parts), found, rtol=0, atol=1e-5)


def test_files_of_the_hub_hold_more_than_is_needed(tmp_path):
    ours = stirred(SMALL.build())
    write(ours, tmp_path)
    held = load_file(tmp_path / "model.safetensors")
    held["esm.embeddings.position_ids"] = torch.arange(66)[None]
    held["esm.embeddings.position_embeddings.weight"] = torch.randn(66, 48)
    held["lm_head.decoder.weight"] = held["esm.embeddings.word_embeddings.weight"].clone()
    torch.save(held, tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    again = read(tmp_path).state_dict()
    assert all(torch.equal(t, again[k]) for k, t in ours.state_dict().items())


def test_reads_one_file_with_its_configuration_beside_it_and_files_in_parts(tmp_path):
    ours = stirred(SMALL.build())
    write(ours, tmp_path)
    one = read(tmp_path / "model.safetensors")
    held = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    places = {}
    for part, names in enumerate((sorted(held)[::2], sorted(held)[1::2])):
        save_file({n: held[n] for n in names}, tmp_path / f"part{part}.safetensors")
        places |= dict.fromkeys(names, f"part{part}.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    for again in (one, read(tmp_path)):
        assert all(torch.equal(t, again.state_dict()[k]) for k, t in ours.state_dict().items())


def test_the_vocabulary_that_is_written_is_the_tokenizer_of_transformers(tmp_path):
    write(SMALL.build(), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.convert_tokens_to_ids(list(TOKENS)) == list(range(33))
    assert tokenizer("MK<mask>")["input_ids"] == [0, 20, 15, 32, 2]


def test_reads_fair_esm_with_the_contact_head_of_its_second_file(tmp_path):
    ours = stirred(SMALL.build())
    prefix, held = "encoder.sentence_encoder.", {}
    renamed = (
        (".attention.self.query", ".self_attn.q_proj"), (".attention.self.rot", ".self_attn.rot"),
        (".attention.self.key", ".self_attn.k_proj"), (".intermediate.dense", ".fc1"),
        (".attention.self.value", ".self_attn.v_proj"),
        (".attention.output.dense", ".self_attn.out_proj"),
        (".attention.LayerNorm", ".self_attn_layer_norm"), (".output.dense", ".fc2"),
        (".LayerNorm", ".final_layer_norm"), ("esm.encoder.layer.", prefix + "layers."),
        ("esm.encoder.", prefix), ("esm.embeddings.word_embeddings", prefix + "embed_tokens"),
        ("lm_head.", "encoder.lm_head."), ("esm.contact_head", "contact_head"),
    )  # fmt: skip
    for name, tensor in state(ours).items():
        for old, new in renamed:
            name = name.replace(old, new)
        held[name] = tensor
    held["encoder.lm_head.weight"] = held[prefix + "embed_tokens.weight"]
    contacts = {k: held.pop(k) for k in list(held) if k.startswith("contact_head")}
    path = tmp_path / "esm2_small.pt"
    torch.save({"args": Namespace(arch="esm2"), "model": held}, path)
    torch.save({"model": contacts}, tmp_path / "esm2_small-contact-regression.pt")

    again = read(path)
    assert (again.config.layers, again.config.width, again.config.heads) == (3, 48, 4)
    assert all(torch.equal(t, again.state_dict()[k]) for k, t in ours.state_dict().items())


def test_reads_bionemo_which_interleaves_heads_and_fills_up_the_vocabulary(tmp_path):
    ours = stirred(SMALL.build())
    weights, published, held = ours.state_dict(), state(ours), {}
    layer = "model.encoder.layers.{}."
    names = {
        "attention_norm.": "self_attention.layernorm_qkv.layer_norm_",
        "merge.": "self_attention.proj.", "norm.": "layernorm_mlp.layer_norm_",
        "widen.": "layernorm_mlp.fc1_", "narrow.": "layernorm_mlp.fc2_",
    }  # fmt: skip
    for n in range(3):
        for kind in ("weight", "bias"):
            for here, there in names.items():
                held[layer.format(n) + there + kind] = weights[f"layers.{n}.{here}{kind}"]
            # (3, heads, depth) to (heads, 3, depth), written with loops
            place = f"esm.encoder.layer.{n}.attention.self."
            parts = [published[f"{place}{p}.{kind}"] for p in ("query", "key", "value")]
            rows = torch.cat(parts)
            order = [48 * p + 12 * h + d for h in range(4) for p in range(3) for d in range(12)]
            held[layer.format(n) + f"self_attention.layernorm_qkv.{kind}"] = rows[order]
    filled = torch.cat([weights["embedding.tokens.weight"], torch.zeros(31, 48)])
    held["model.embeddings.word_embeddings.weight"] = filled
    held["lm_head.decoder.weight"] = filled.clone()
    low = torch.full((31,), torch.finfo(torch.float32).min)
    held["lm_head.decoder.bias"] = torch.cat([weights["head.bias"], low])
    for kind in ("weight", "bias"):
        held[f"model.encoder.emb_layer_norm_after.{kind}"] = weights[f"norm.{kind}"]
        held[f"lm_head.dense.{kind}"] = weights[f"head.dense.{kind}"]
        held[f"lm_head.decoder.layer_norm_{kind}"] = weights[f"head.norm.{kind}"]
    save_file({k: t.contiguous() for k, t in held.items()}, tmp_path / "model.safetensors")
    said = configuration(SMALL) | {"model_type": "nv_esm", "padded_vocab_size": 64}
    (tmp_path / "config.json").write_text(json.dumps(said))

    again = read(tmp_path).state_dict()
    for name, tensor in weights.items():
        expected = torch.zeros_like(tensor) if name.startswith("contacts") else tensor
        assert torch.equal(again[name], expected), name


def test_another_network_is_refused_with_what_is_missing_and_what_is_not_known(tmp_path):
    write(SMALL.build(), tmp_path)
    held = load_file(tmp_path / "model.safetensors")
    held["esm.encoder.layer.1.attention.adapter.weight"] = torch.zeros(2)
    del held["esm.encoder.emb_layer_norm_after.bias"]
    save_file(held, tmp_path / "model.safetensors")
    lacks, has = "lacks esm.encoder.emb_layer_norm_after.bias;", "in surplus esm.encoder.layer.1.a"
    with pytest.raises(ValueError, match=f"{lacks}.*{has}"):
        read(tmp_path)
    save_file({"bert.pooler.dense.weight": torch.zeros(2)}, tmp_path / "bert.safetensors")
    (tmp_path / "config.json").unlink()
    with pytest.raises(ValueError, match=r"lacks .*word_embeddings.* surplus bert.pooler"):
        read(tmp_path / "bert.safetensors")


@pytest.mark.parametrize(
    ("field", "value"),
    [("model_type", "bert"), ("vocab_size", 64), ("is_folding_model", True),
     ("position_embedding_type", "relative_key"), ("intermediate_size", 100)],
)  # fmt: skip
def test_a_configuration_of_another_network_is_refused_by_its_field(field, value, tmp_path):
    write(SMALL.build(), tmp_path)
    said = configuration(SMALL) | {field: value}
    (tmp_path / "config.json").write_text(json.dumps(said))
    with pytest.raises(ValueError, match=f"{field}={value!r}"):
        read(tmp_path)


def test_weights_of_another_shape_than_their_configuration_are_refused(tmp_path):
    write(SMALL.build(), tmp_path)
    said = configuration(Esm(layers=3, width=64, heads=4))
    (tmp_path / "config.json").write_text(json.dumps(said))
    with pytest.raises(ValueError, match=r"of shape \(.*48.*asks for \(.*64"):
        read(tmp_path)


def test_vectors_that_are_not_tied_are_refused(tmp_path):
    write(SMALL.build(), tmp_path)
    held = load_file(tmp_path / "model.safetensors")
    held["lm_head.decoder.weight"] = held["esm.embeddings.word_embeddings.weight"] + 1
    save_file(held, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="other vectors"):
        read(tmp_path)


def test_an_empty_folder_and_a_missing_file_say_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        read(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read(tmp_path / "esm2.pt")


@pytest.mark.parametrize("config", [*ESM2.values(), ESM1NV], ids=[*ESM2, "1nv"])
def test_published_shapes_have_as_many_parameters_as_in_transformers(config):
    with torch.device("meta"):
        network = EsmForMaskedLM(EsmConfig(**configuration(config)))
        ours = config.build()
    expected = sum(p.numel() for p in network.parameters())
    assert config.num_parameters == expected
    assert sum(p.numel() for p in ours.parameters()) == expected


def test_names_go_there_and_back():
    for name in state(SMALL.build()):
        ours = HF.ours(name)
        assert ours == "frequencies" or HF.theirs(ours) == name
