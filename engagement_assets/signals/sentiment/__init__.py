"""Sentiment and emotion of short texts, of customers who agreed to it."""
