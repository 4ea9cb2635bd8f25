"""Metrics, intervals, calibration, thresholds and splits."""
