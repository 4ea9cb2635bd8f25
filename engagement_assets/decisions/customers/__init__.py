"""One table of everything that the models say of a customer, and what moved since yesterday."""
