"""Narrow formats: rounding, layers that are stored in them, and which layers stay as they are."""
