"""Solutions of CFD: files of other solvers, and OpenFOAM itself."""
