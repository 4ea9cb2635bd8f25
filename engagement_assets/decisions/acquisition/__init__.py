"""Channels by which customers like these are worth winning."""
