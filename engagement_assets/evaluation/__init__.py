"""Splits, metrics with intervals, calibration, thresholds, fairness and explanations.

Belongs here: pure functions over arrays and DataFrames that every model uses. Does not belong
here: a model, an asset, or anything that reads or writes the lake. Importing this package loads
nothing heavy; import the module that is wanted.
"""
