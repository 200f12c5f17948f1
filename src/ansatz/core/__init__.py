"""What every part builds upon: the seam, overrides, artifacts, and words for mistakes."""
