"""What is learnt before features from text and from the social graph."""
