"""The churn model: which active customers will have no session within the churn window.

Belongs here: its estimator, assets and checks. Does not belong here: the label's definition
(`engagement_assets.features`) or what to do about a likely churner (`engagement_assets.decisions`).
"""
