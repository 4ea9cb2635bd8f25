"""The engagement model: how much each customer will use the app in the days after, 0 to 1.

Belongs here: its estimator, training, fairness, predictions and reports. Does not belong here: the
score's definition (`engagement_assets.features`) or what to do about it
(`engagement_assets.decisions`).
"""
