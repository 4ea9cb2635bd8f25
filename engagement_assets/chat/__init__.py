"""Questions in words, answered with figures of the lake."""
