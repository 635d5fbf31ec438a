"""How strong what was not measured would have to be to change an effect."""
