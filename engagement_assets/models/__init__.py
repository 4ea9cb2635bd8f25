"""The models, one folder each, with the encoder, the card and the promotion rule that they share.

Belongs here: estimators, the table encoder, the model card, the champion's rule. Does not belong
here: stored versions (`resources.registry`), metrics and explanations
(`engagement_assets.evaluation`) or what is done with a prediction (`engagement_assets.decisions`).
Importing this package loads nothing heavy.
"""
