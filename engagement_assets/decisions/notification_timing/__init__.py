"""When a customer is notified: at which hour of the clock, or not today."""
