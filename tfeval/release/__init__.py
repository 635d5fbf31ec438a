"""What may leave: rounding by cell keys, hiding, a ledger of releases, and checks of the result."""
