"""What customers could do differently so that a model would predict otherwise."""
