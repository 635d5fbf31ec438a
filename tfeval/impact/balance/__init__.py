"""How alike the arms are: measures, tables, charts and a verdict."""
