"""Captioned emoji in four styles, with names in four languages."""
