"""The customers of highest value."""
