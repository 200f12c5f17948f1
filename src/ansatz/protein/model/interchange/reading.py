"""A network out of a checkpoint of Hugging Face, fair-esm or BioNeMo."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ansatz.protein.corpus.alphabet import MASK, PAD, TOKENS
from ansatz.protein.model.config import RESERVED_POSITIONS, Esm
from ansatz.protein.model.interchange.files import configuration, tensors
from ansatz.protein.model.interchange.names import (
    TIED,
    Dialect,
    State,
    dialect_of,
    fused,
    translated,
)
from ansatz.protein.model.network import EsmNetwork
from ansatz.protein.model.rotary import BASE, frequencies

SHOWN = 4  # names in an error
NEEDED = {"embedding.tokens.weight", "layers.0.widen.weight"}  # to read a shape off weights
# What a configuration may say of things that the network here has in one way only.
SETTLED = {
    "is_folding_model": False,
    "is_decoder": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
    "vocab_size": len(TOKENS),
    "pad_token_id": PAD,
    "mask_token_id": MASK,
    "rope_theta": BASE,
}


def read(path: Path) -> EsmNetwork:
    """Read a network, in float32, whatever its file holds.

    Rotary frequencies that a file holds are kept, even if they are rounded: the weights were
    trained with them. A contact head is kept as well; where there is none, it is zero.

    Args:
        path: A folder with `config.json` and weights, or a file of weights. Without a
            `config.json`, the shape is read off the weights.

    Returns:
        The network, as for training.

    Raises:
        FileNotFoundError: If there is no checkpoint.
        ValueError: If it is of another kind of network.
    """
    state = tensors(path)
    dialect = dialect_of(state)
    found, unexpected = translated(state, dialect)
    said = configuration(path)
    if said is None:
        _require(path, dialect, NEEDED - set(found), unexpected)
        config = shape_of_weights(found)
    else:
        config = shape_of_configuration(path, said)
    _check_tied(path, found)
    with torch.device("meta"):
        network = config.build()
    held = fused(found, config.heads, in_planes=config.positions == "rotary")
    if config.positions == "rotary":
        held.pop("embedding.positions.weight", None)  # in files of the hub, and of no use
        held.setdefault("frequencies", frequencies(config.width // config.heads))
    held.setdefault("contacts.weight", torch.zeros(1, config.layers * config.heads))
    held.setdefault("contacts.bias", torch.zeros(1))
    expected = network.state_dict()
    surplus = [dialect.theirs(name) for name in held if name not in expected]
    _require(path, dialect, set(expected) - set(held), unexpected + surplus)
    _check_shapes(path, dialect, held, expected)
    network.load_state_dict({k: t.float() for k, t in held.items()}, assign=True)
    return network


def shape_of_configuration(path: Path, said: Mapping[str, Any]) -> Esm:
    """The shape that a `config.json` describes.

    Raises:
        ValueError: If it describes what the network here cannot be.
    """
    other = {k: said[k] for k, v in SETTLED.items() if said.get(k, v) not in (v, None)}
    if said.get("model_type") not in ("esm", "nv_esm"):
        other["model_type"] = said.get("model_type")
    kind = said.get("position_embedding_type", "absolute")
    if kind not in ("rotary", "absolute"):
        other["position_embedding_type"] = kind
    if said.get("intermediate_size", 0) % said.get("hidden_size", 1):
        other["intermediate_size"] = said["intermediate_size"]
    if other:
        listed = ", ".join(f"{name}={value!r}" for name, value in other.items())
        raise ValueError(
            f"{path} is no ESM-2 or ESM-1 language model with the usual alphabet: its config.json "
            f"says {listed}"
        )
    return Esm(
        layers=said["num_hidden_layers"],
        width=said["hidden_size"],
        heads=said["num_attention_heads"],
        expansion=said["intermediate_size"] // said["hidden_size"],
        positions="rotary" if kind == "rotary" else "learned",
        longest=said["max_position_embeddings"] - RESERVED_POSITIONS,
        token_dropout=bool(said.get("token_dropout")),
        dropout=said.get("hidden_dropout_prob", 0.0),
        embedding_norm=bool(said.get("emb_layer_norm_before")),
        epsilon=said.get("layer_norm_eps", Esm.epsilon),
    )


def shape_of_weights(state: State) -> Esm:
    """The shape of ESM-2 that weights have; token dropout is as ESM-2 was trained.

    Raises:
        ValueError: If the weights do not tell the number of heads.
    """
    width = state["embedding.tokens.weight"].shape[1]
    layers = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("layers."))
    if "frequencies" in state:
        heads = width // (2 * len(state["frequencies"]))
    elif "contacts.weight" in state:
        heads = state["contacts.weight"].numel() // layers
    else:
        raise ValueError(
            "the weights do not tell how many heads attention has. Put the config.json of the "
            "checkpoint beside them"
        )
    expansion = len(state["layers.0.widen.weight"]) // width
    norm = "embedding.norm.weight" in state
    if "frequencies" in state or "embedding.positions.weight" not in state:
        return Esm(layers, width, heads, expansion, embedding_norm=norm)
    longest = len(state["embedding.positions.weight"]) - RESERVED_POSITIONS
    return Esm(layers, width, heads, expansion, "learned", longest, embedding_norm=norm)


def _check_tied(path: Path, state: State) -> None:
    """Take the copies of the vectors of tokens, and of the biases, out of a state."""
    for name in TIED:
        copy = state.pop(name, None)
        if copy is not None and not torch.equal(copy, state.get("embedding.tokens.weight", copy)):
            raise ValueError(
                f"{path} has other vectors for reading tokens than for predicting them, and here "
                "they are the same"
            )
    bias = state.pop("decoder.bias", None)
    if bias is not None:
        state.setdefault("head.bias", bias)


def _require(
    path: Path, dialect: Dialect, missing: Collection[str], unexpected: Collection[str]
) -> None:
    if not missing and not unexpected:
        return
    lacks = _few([dialect.theirs(name.replace(".qkv.", ".query.")) for name in missing])
    raise ValueError(
        f"{path} is no ESM-2 or ESM-1 language model, read with the names of {dialect.library}. "
        f"It lacks {lacks}; it has in surplus {_few(unexpected)}"
    )


def _few(names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:SHOWN])
    more = len(names) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown or "nothing"


def _check_shapes(
    path: Path, dialect: Dialect, held: State, expected: Mapping[str, Tensor]
) -> None:
    for name, tensor in held.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(
                f"{path} holds {dialect.theirs(name)} of shape {tuple(tensor.shape)}, and its "
                f"config.json asks for {tuple(expected[name].shape)}: they are not of one model"
            )
