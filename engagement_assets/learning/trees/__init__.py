"""Gradient boosted trees on tables of numbers and categories."""
