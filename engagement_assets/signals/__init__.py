"""Signals from texts and the social graph, learnt before features are computed."""
