"""GraphSAGE on the 49 features and the social graph: a customer's engagement next week."""
