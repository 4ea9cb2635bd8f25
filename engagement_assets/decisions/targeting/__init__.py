"""Whom a treatment is given to, by what it does to them."""
