"""Asset checks of the signal tables.

Belongs here: which of them features wait for. Does not belong here: how a signal is made.
"""

from engagement_assets.signals.tables import CUSTOMER_SENTIMENT, NETWORK_METRICS, SIGNAL_TABLES
from resources.checks import blocking_keys, table_checks

SIGNAL_BLOCKING = blocking_keys([CUSTOMER_SENTIMENT.key, NETWORK_METRICS.key])
signal_checks = table_checks("signal_checks", SIGNAL_TABLES)
