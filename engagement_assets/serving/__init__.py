"""Floor 8: what analysts and applications read."""
