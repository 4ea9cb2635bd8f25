"""What another policy would have brought, from a log of decisions."""
