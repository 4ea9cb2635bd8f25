"""Choosing learner and hyperparameters for any table, within a time, by quality and fairness."""
