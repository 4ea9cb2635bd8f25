"""Customers who are unlike the rest: scored, explained, and sent to people for review."""
