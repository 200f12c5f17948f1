"""Engines: what runs a predictor's forward pass, and how precisely."""
