"""What is learnt or measured on any table; it knows nothing of this product."""
