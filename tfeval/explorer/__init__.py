"""The analysis with its choices on widgets, for JupyterLab: what is chosen, what is kept, shown."""
