"""Timing: clocks for the bench verb."""
