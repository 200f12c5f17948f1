"""Geometries of vehicles: files, measures, repairs, and parametric cars."""
