"""From noise to a member of an ensemble: solvers of the flow that a trained network defines."""
