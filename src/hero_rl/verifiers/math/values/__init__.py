"""What a tree is worth: exact and numeric values."""
