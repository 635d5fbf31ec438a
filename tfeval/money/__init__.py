"""From effects to value: prices, costs and what a claim would have to be worth."""
