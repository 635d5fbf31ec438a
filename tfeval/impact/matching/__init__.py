"""Ways of finding, for each treated unit, comparison units that are like it."""
