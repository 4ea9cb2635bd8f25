"""Anomaly detectors on tables of numbers and categories."""
