"""What to suggest to a customer next, learnt from what earlier suggestions added."""
