"""Checkpoints of other libraries: read those of three, write those of Hugging Face.

Hugging Face   `esm.encoder.layer.0.attention.self.query.weight`, config.json beside it
fair-esm       `encoder.sentence_encoder.layers.0.self_attn.q_proj.weight`, .pt
BioNeMo        `model.encoder.layers.0.self_attention.layernorm_qkv.weight` (nv_esm)
"""
