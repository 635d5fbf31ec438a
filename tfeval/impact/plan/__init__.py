"""The analysis plan: what was decided before outcomes were seen, and what was not."""
