"""Images from words."""
