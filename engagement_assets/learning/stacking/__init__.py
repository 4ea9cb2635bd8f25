"""Stacking of predictors with out-of-fold predictions."""
