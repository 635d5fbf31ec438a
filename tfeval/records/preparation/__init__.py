"""Turn a department's extract into the dictionary's form, by a mapping that a person wrote."""
