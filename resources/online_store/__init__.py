"""The online store: what an application reads in milliseconds, one document a customer and day."""
