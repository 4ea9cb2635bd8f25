"""The catalogue of the 49 features, snapshots and labels."""
