"""One gate before a customer is touched."""
