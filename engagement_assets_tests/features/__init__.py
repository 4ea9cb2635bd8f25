"""Tests of the features, their catalogue and the labels."""
