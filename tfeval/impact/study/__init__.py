"""Who is compared with whom, on what: the study and its covariates, read in blocks."""
