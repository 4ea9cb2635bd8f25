"""Clusters of any table: how many there are, whether there are any, and the same names later."""
