"""Effects of a treatment on an outcome, for each row, for groups and for all."""
