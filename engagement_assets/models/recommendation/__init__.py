"""Recommend posts to customers: training, daily lists, reports.

Belongs here: recommenders of any table of (user, item, time, weight) with one interface, the rules
of a list and how a champion among them is found. Does not belong here: ranking metrics and their
fairness (`engagement_assets.learning.evaluation.ranking`, `ranking_fairness`).
"""
