"""Experiments: who is in which, who met it, and what came out, daily."""
