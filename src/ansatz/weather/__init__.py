"""Kilometer-scale weather from coarse fields: downscaling with a mean and a generated residual."""
