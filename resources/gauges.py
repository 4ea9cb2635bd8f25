"""Numbers of how the platform is, for whoever watches it.

Belongs here: reporting a number. Does not belong here: what is measured (`sensors.py`) and alerts
on what failed (`alerts.py`).
"""

import logging

import dagster as dg
from pydantic import Field


class Gauges(dg.ConfigurableResource):
    """Where numbers are reported."""

    def report(self, name: str, value: float) -> None:
        """Report what a number is now."""
        raise NotImplementedError


class LoggedGauges(Gauges):
    """Writes numbers to the log of the process."""

    logger: str = Field(default="engagement.gauges", description="Logger that gets the lines.")

    def report(self, name: str, value: float) -> None:
        """Write a line."""
        logging.getLogger(self.logger).info("%s is %g", name, value)
