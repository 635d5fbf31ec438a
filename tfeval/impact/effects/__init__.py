"""Effects in one table: estimates, corrections for many outcomes, areas, power, published ones."""
