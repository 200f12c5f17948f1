"""A network as a checkpoint that Hugging Face's `EsmForMaskedLM.from_pretrained` opens."""

import json
from pathlib import Path

from safetensors.torch import save_file

from ansatz.protein.corpus.alphabet import CLS, EOS, MASK, PAD, TOKENS, UNK
from ansatz.protein.model.config import RESERVED_POSITIONS, Esm
from ansatz.protein.model.interchange.names import HF, State, apart
from ansatz.protein.model.network import EsmNetwork
from ansatz.protein.model.rotary import BASE

FREQUENCIES = "esm.encoder.layer.{}.attention.self.rotary_embeddings.inv_freq"
TOKENIZER = {
    "tokenizer_class": "EsmTokenizer",
    "cls_token": TOKENS[CLS],
    "pad_token": TOKENS[PAD],
    "eos_token": TOKENS[EOS],
    "unk_token": TOKENS[UNK],
    "mask_token": TOKENS[MASK],
    "clean_up_tokenization_spaces": False,
}


def write(network: EsmNetwork, folder: Path) -> None:
    """Write weights, configuration and vocabulary with the names that files of the hub have.

    Args:
        network: What to write; weights keep their precision.
        folder: Where; made if it does not exist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state(network), folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(configuration(network.config), indent=2) + "\n")
    (folder / "vocab.txt").write_text("\n".join(TOKENS))
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER, indent=2) + "\n")


def state(network: EsmNetwork) -> State:
    """Weights under the names of Hugging Face."""
    config = network.config
    held = apart(network.state_dict(), config.heads, in_planes=config.positions == "rotary")
    turned = held.pop("frequencies", None)
    found = {HF.theirs(name): tensor.detach().cpu().clone() for name, tensor in held.items()}
    if turned is not None:
        # As in files of the hub: a copy per layer, which all versions of transformers read.
        found |= {FREQUENCIES.format(n): turned.cpu().clone() for n in range(config.layers)}
    return found


def configuration(config: Esm) -> dict[str, object]:
    """What `config.json` says of a shape."""
    return {
        "architectures": ["EsmForMaskedLM"],
        "model_type": "esm",
        "vocab_size": len(TOKENS),
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.expansion * config.width,
        "position_embedding_type": "rotary" if config.positions == "rotary" else "absolute",
        "max_position_embeddings": config.longest + RESERVED_POSITIONS,
        "rope_theta": BASE,
        "token_dropout": config.token_dropout,
        "emb_layer_norm_before": config.embedding_norm,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": 0.0,
        "hidden_act": "gelu",
        "initializer_range": 0.02,
        "layer_norm_eps": config.epsilon,
        "is_folding_model": False,
        "cls_token_id": CLS,
        "pad_token_id": PAD,
        "eos_token_id": EOS,
        "mask_token_id": MASK,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
    }
