"""Choosing by what earlier choices brought, while still trying the others."""
