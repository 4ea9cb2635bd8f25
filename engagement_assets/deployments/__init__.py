"""What each deployment consists of: a module each, all with the same functions."""
