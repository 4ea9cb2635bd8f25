"""Calls to customers who are worth much and use the app little."""
