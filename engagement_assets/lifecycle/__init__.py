"""The life of a model, whichever it is: candidate, checks, champion, predictions, explanations.

A model is a `ModelSpec` (`spec.py`) and an adapter (`adapter.py`) in a folder of its own; its
assets and checks are built here. Belongs here: what all models share. Does not belong here:
learning.
"""
