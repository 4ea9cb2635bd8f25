"""Recommenders from interactions of users and items."""
