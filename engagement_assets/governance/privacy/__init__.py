"""What customers were promised about their data, kept by mechanisms and not by pages."""
