"""Floor 1: the contract of the raw tables, the simulator, ingestion and quarantine."""
