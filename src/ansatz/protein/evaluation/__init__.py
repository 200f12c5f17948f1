"""What `ansatz check` says of a protein language model: numbers, intervals, and what is known."""
