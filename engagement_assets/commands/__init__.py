"""The command line `engagement`."""
