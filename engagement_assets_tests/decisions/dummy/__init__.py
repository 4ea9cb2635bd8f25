"""A decision that a contributor might add: its folder, for the test of what follows from it."""
