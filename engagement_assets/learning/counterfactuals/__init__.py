"""The fewest plausible changes of a row after which a model would predict otherwise."""

# Most things that change at once: more are no advice.
MOST_CHANGES = 3
