"""The churn model: which active customers will have no session in the next 30 days.

Belongs here: its estimator, assets and checks. Does not belong here: the label's definition
(`engagement_assets.features`) or what to do about a likely churner (`engagement_assets.decisions`).
"""
