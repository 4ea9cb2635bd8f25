"""What is: the models, one folder each on the shared lifecycle.

Belongs here: what one model predicts and how. Does not belong here: learning on any table
(`engagement_assets.learning`), what models share (`engagement_assets.lifecycle`) and what is done
with a prediction (`engagement_assets.decisions`). Importing this package loads nothing heavy.
"""
