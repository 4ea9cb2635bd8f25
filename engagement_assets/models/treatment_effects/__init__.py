"""What an experiment's treatment does to each customer's engagement."""
