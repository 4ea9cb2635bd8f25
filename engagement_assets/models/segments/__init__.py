"""Segments: which customers are alike, how each kind differs, and since when one is of it."""
