"""The resources of each deployment."""
