"""The fewest plausible changes of a row after which a model would predict otherwise."""
