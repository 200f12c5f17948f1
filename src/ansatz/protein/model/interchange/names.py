"""Names of weights in the files of three libraries, and in the network here.

A name is that of a module and what it holds. The tables give modules, `#` being the number of a
layer. What else differs:

    Hugging Face   version 5 writes `gamma` and `beta` for weights of some norms, and one set of
                   rotary frequencies for all layers, literally under `layer.*`; files of the hub
                   have a copy per layer
    fair-esm       prefixes; weights that regress contacts may be in a second file
    BioNeMo        queries, keys and values in one matrix, interleaved head by head; vectors of
                   tokens and their biases filled up to 64 rows; no contact head
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ansatz.protein.corpus.alphabet import TOKENS

State = dict[str, Tensor]
TIED = ("decoder.weight", "head.weight")  # the vectors of tokens, a second time
PARTS = ("query", "key", "value")

HUGGING_FACE = {
    "embedding.tokens": "esm.embeddings.word_embeddings",
    "embedding.positions": "esm.embeddings.position_embeddings",
    "embedding.norm": "esm.embeddings.layer_norm",
    "layers.#.attention_norm": "esm.encoder.layer.#.attention.LayerNorm",
    "layers.#.query": "esm.encoder.layer.#.attention.self.query",
    "layers.#.key": "esm.encoder.layer.#.attention.self.key",
    "layers.#.value": "esm.encoder.layer.#.attention.self.value",
    "layers.#.merge": "esm.encoder.layer.#.attention.output.dense",
    "layers.#.norm": "esm.encoder.layer.#.LayerNorm",
    "layers.#.widen": "esm.encoder.layer.#.intermediate.dense",
    "layers.#.narrow": "esm.encoder.layer.#.output.dense",
    "norm": "esm.encoder.emb_layer_norm_after",
    "head.dense": "lm_head.dense",
    "head.norm": "lm_head.layer_norm",
    "head": "lm_head",
    "decoder": "lm_head.decoder",
    "contacts": "esm.contact_head.regression",
}
FAIR_ESM = {
    "embedding.tokens": "embed_tokens",
    "embedding.positions": "embed_positions",
    "embedding.norm": "emb_layer_norm_before",
    "layers.#.attention_norm": "layers.#.self_attn_layer_norm",
    "layers.#.query": "layers.#.self_attn.q_proj",
    "layers.#.key": "layers.#.self_attn.k_proj",
    "layers.#.value": "layers.#.self_attn.v_proj",
    "layers.#.merge": "layers.#.self_attn.out_proj",
    "layers.#.norm": "layers.#.final_layer_norm",
    "layers.#.widen": "layers.#.fc1",
    "layers.#.narrow": "layers.#.fc2",
    "norm": "emb_layer_norm_after",
    "head.dense": "lm_head.dense",
    "head.norm": "lm_head.layer_norm",
    "head": "lm_head",
    "contacts": "contact_head.regression",
}
BIONEMO = {
    "embedding.tokens": "model.embeddings.word_embeddings",
    "layers.#.attention_norm": "model.encoder.layers.#.self_attention.layernorm_qkv.layer_norm",
    "layers.#.interleaved": "model.encoder.layers.#.self_attention.layernorm_qkv",
    "layers.#.merge": "model.encoder.layers.#.self_attention.proj",
    "layers.#.norm": "model.encoder.layers.#.layernorm_mlp.layer_norm",
    "layers.#.widen": "model.encoder.layers.#.layernorm_mlp.fc1",
    "layers.#.narrow": "model.encoder.layers.#.layernorm_mlp.fc2",
    "norm": "model.encoder.emb_layer_norm_after",
    "head.dense": "lm_head.dense",
    "head.norm": "lm_head.decoder.layer_norm",
    "head": "lm_head.decoder",
}
# What files hold beside weights, and what another version of a library computes anew.
PASSED_OVER = re.compile(
    r"\.position_ids$|\._extra_state$|^esm\.pooler\.|\._float_tensor$|^version$"
)


@dataclass(frozen=True)
class Dialect:
    """How a library names weights.

    Attributes:
        library: Its name.
        modules: From modules here to modules there.
        rewrites: Patterns and what replaces them, before names are looked up.
    """

    library: str
    modules: Mapping[str, str]
    rewrites: tuple[tuple[str, str], ...] = ()

    def ours(self, name: str) -> str | None:
        """The name here of a weight there; None if there is no such weight."""
        if name.endswith("inv_freq"):
            return "frequencies"
        for pattern, replacement in self.rewrites:
            name = re.sub(pattern, replacement, name)
        module, _, kind = name.rpartition(".")
        layer = re.search(r"(?<=\.)\d+(?=\.)", module)
        general = re.sub(r"(?<=\.)\d+(?=\.)", "#", module, count=1)
        found = {there: here for here, there in self.modules.items()}.get(general)
        if found is None or kind not in ("weight", "bias"):
            return None
        return f"{found}.{kind}".replace("#", layer[0] if layer else "")

    def theirs(self, name: str) -> str:
        """The name there of a weight here."""
        module, _, kind = name.rpartition(".")
        layer = re.search(r"(?<=^layers\.)\d+", module)
        general = re.sub(r"(?<=^layers\.)\d+", "#", module)
        there = self.modules.get(general, general)
        return f"{there}.{kind}".replace("#", layer[0] if layer else "")


HF = Dialect("Hugging Face", HUGGING_FACE, ((r"\.gamma$", ".weight"), (r"\.beta$", ".bias")))
FAIR = Dialect("fair-esm", FAIR_ESM, ((r"^(encoder\.sentence_encoder|encoder)\.", ""),))
NV = Dialect(
    "BioNeMo", BIONEMO, ((r"^esm\.", "model."), (r"(layer_norm|fc1|fc2)_(weight|bias)$", r"\1.\2"))
)


def dialect_of(names: Iterable[str]) -> Dialect:
    """The library that names weights like this; Hugging Face if none does."""
    listed = list(names)
    if any("layernorm_qkv" in name for name in listed):
        return NV
    return FAIR if any("self_attn." in name for name in listed) else HF


def translated(state: Mapping[str, Tensor], dialect: Dialect) -> tuple[State, list[str]]:
    """Weights under the names they have here, except that queries, keys and values are apart.

    Args:
        state: Weights of a file.
        dialect: Of its names.

    Returns:
        The weights that have a name here, and the names of those that have none.
    """
    found: State = {}
    unknown = []
    for name, tensor in state.items():
        ours = dialect.ours(name)
        if ours is not None:
            found.setdefault(ours, tensor)
        elif not PASSED_OVER.search(name):
            unknown.append(name)
    if dialect is NV:
        _trim(found)
    return found, unknown


def _trim(state: State) -> None:
    for name in ("embedding.tokens.weight", "head.bias", *TIED):
        if name in state:
            state[name] = state[name][: len(TOKENS)]


def fused(state: State, heads: int, *, in_planes: bool) -> State:
    """Queries, keys and values of each layer as one matrix, in the order of the network here.

    Args:
        state: As `translated` gives it.
        heads: Attention heads.
        in_planes: Whether queries and keys are turned, so that features which are turned together
            shall be neighbors (`ansatz.protein.model.rotary`).
    """
    found = dict(state)
    for name in state:
        if ".interleaved." in name:  # head by head
            by_head = torch.unflatten(found.pop(name), 0, (heads, 3, -1))
            for part, piece in zip(PARTS, by_head.unbind(1), strict=True):
                found[name.replace(".interleaved.", f".{part}.")] = piece.flatten(0, 1)
    for name in [n for n in found if ".query." in n]:
        names = [name.replace(".query.", f".{part}.") for part in PARTS]
        if all(n in found for n in names):
            query, key, value = (found.pop(n) for n in names)
            if in_planes:
                query, key = (_reordered(t, (heads, 2, -1)) for t in (query, key))
            found[name.replace(".query.", ".qkv.")] = torch.cat([query, key, value])
    return found


def apart(state: Mapping[str, Tensor], heads: int, *, in_planes: bool) -> State:
    """The reverse: queries, keys and values of each layer as matrices of their own."""
    found: State = {}
    for name, tensor in state.items():
        if ".qkv." not in name:
            found[name] = tensor
            continue
        for part, piece in zip(PARTS, tensor.chunk(3), strict=True):
            turned = in_planes and part != "value"
            ordered = _reordered(piece, (heads, -1, 2)) if turned else piece
            found[name.replace(".qkv.", f".{part}.")] = ordered
    return found


def _reordered(rows: Tensor, parts: tuple[int, int, int]) -> Tensor:
    """Rows in (heads, a, b) as rows in (heads, b, a)."""
    return torch.unflatten(rows, 0, parts).transpose(1, 2).flatten(0, 2)
