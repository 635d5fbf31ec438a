"""The known-truth audit: how often the package's methods are right where the truth is known."""
