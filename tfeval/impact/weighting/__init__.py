"""Ways of weighting the arms so that they are alike."""
