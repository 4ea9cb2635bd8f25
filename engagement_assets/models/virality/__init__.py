"""Virality: how many people a post reaches in three days, from its first six hours."""
