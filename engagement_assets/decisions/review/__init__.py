"""Whom a person looks at."""
