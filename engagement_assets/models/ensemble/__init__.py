"""The ensemble: what the other models say together, refined, and one score of a customer's health.

Belongs here: stacking, adoption target by target, the health score. Does not belong here: the
models that it listens to.
"""
