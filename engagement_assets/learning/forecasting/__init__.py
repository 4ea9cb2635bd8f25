"""Forecasts of many series: methods beside each other, their weights, intervals, sums that hold."""
