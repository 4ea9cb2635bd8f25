"""The real-time API: what the models say of a customer, in milliseconds."""
