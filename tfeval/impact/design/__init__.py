"""The common currency of every comparison: who counts, how much, and why others do not."""
