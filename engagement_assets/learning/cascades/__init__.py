"""Cascades of shares: their growth and final reach."""
