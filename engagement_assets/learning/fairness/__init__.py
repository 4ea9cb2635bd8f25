"""Fairness of predictions, selections and rankings by group, and its mitigation."""
