"""Designs over time: panels of units, group-time effects, synthetic comparisons, thresholds."""
