"""Text encoders, loaded as data with their hashes checked."""
