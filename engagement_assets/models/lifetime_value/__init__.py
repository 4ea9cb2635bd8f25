"""The lifetime value model: what each customer will pay within the value window, with an interval.

Belongs here: its estimator, training, fairness, predictions, applications and reports. Does not
belong here: the label's definition (`engagement_assets.features`) or who is approached and how
(`engagement_assets.decisions`).
"""
