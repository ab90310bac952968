"""When two answers are the same: one subject a file."""
