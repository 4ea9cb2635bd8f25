"""Retention offers by how likely a customer is to leave."""
