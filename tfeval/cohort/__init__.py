"""From linked records to one analysis table, by rules that an evaluator would defend."""
