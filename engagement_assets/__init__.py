"""The engagement platform: raw activity tables to features, models, explanations, decisions."""

import os
import warnings

# Dagster marks this parameter as beta and says so once an asset at every load; a test pins what
# the project relies on: a range of days is one run.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`")

# OpenMP's threads spin while they wait for one another. Where anything else runs on the machine,
# they then hold the cores that the others need to get on, and boosting on a few hundred rows takes
# many times as long. Libraries read this when they load OpenMP, so it is set before any of them.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
