"""Missing covariates: completed many times over, and the effects pooled."""
