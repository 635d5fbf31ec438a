"""From an analysis table to effects: study, design, balance, effect."""
