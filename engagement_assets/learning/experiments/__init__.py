"""Statistics of experiments on any table: assignment, validity, estimates, looks, power."""
