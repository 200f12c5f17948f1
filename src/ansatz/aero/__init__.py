"""Aerodynamics of road vehicles: from a geometry to surface fields, forces and their checks."""
