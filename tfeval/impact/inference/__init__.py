"""Standard errors and intervals: robust, clustered, by pair, bootstrapped, wild."""
