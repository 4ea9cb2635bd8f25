"""Forecast: what will be used, seven days ahead, with intervals, and what to provision for it."""
