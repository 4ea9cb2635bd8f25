"""The catalogue of the features, snapshots and labels."""
