"""The parts of the simulator; the way in is `tfeval.records.simulate`."""
