"""Training with TRL: policy, fine-tuning, reward model."""
