"""The parts of `rushlight.nn.functional`, by subject."""
