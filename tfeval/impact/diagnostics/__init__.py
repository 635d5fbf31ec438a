"""Checks of a comparison that could come out wrong: placebos, time, authorities, contamination."""
