"""The labels that texts are classified by.

Belongs here: their names, without a learning library. Does not belong here: the classifiers.
"""

SENTIMENTS = ("negative", "neutral", "positive")
EMOTIONS = ("anger", "joy", "optimism", "sadness")
