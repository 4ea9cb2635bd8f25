"""Churn learnt without collecting: a federation of the customers who agree to it.

Belongs here: its declaration, training and report. Does not belong here: federated averaging
(`engagement_assets.learning.federated`) and messages (`engagement_assets.serving.federated`).
"""
