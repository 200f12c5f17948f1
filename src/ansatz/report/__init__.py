"""Statistics with intervals, figures, and the page that shows what a check found."""
