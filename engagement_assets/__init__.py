"""The engagement platform: raw activity tables to features, models, explanations, decisions."""
