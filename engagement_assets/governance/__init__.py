"""Floor 7: what people must be able to see and decide."""
