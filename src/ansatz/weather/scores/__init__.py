"""Scores of ensembles of fields (M, ..., H, W) against true fields (..., H, W), in NumPy."""
