"""Floor 6: what is done with what the models say."""
