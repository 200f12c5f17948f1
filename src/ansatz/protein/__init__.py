"""Protein language models: corpora of sequences, ESM-1nv and ESM-2, embeddings and variants."""
