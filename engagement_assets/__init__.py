"""The engagement platform: raw activity tables to features, models, explanations, decisions."""

import warnings

# Dagster marks this parameter as beta and says so once an asset at every load; a test pins what
# the project relies on: a range of days is one run.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`")
