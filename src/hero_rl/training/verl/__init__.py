"""Training with verl: the command, its data and its checks."""
