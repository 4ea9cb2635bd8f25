"""Settings of an installation, its deployment and its API; the days they span."""
