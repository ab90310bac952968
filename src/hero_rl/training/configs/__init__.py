"""What a training verb reads: one file a verb and engine."""
