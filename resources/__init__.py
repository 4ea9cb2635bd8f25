"""What the platform stands on: the lake, the SQL engines, IO managers, alerts.

Nothing here knows the tables, features or models of `engagement_assets`; schemas and SQL are
handed in.
"""
