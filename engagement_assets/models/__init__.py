"""The models, one folder each, with the registry and the promotion rule that all of them share.

Belongs here: estimators, the registry of model versions, the model card, the champion's rule.
Does not belong here: metrics and explanations (`engagement_assets.evaluation`) or what is done
with a prediction (`engagement_assets.decisions`). Importing this package loads nothing heavy.
"""
