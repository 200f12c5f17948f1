"""Physics-informed solvers: equations in symbols, geometries, conditions, networks, checks."""
