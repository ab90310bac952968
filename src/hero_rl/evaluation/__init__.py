"""How good a model is on benchmarks: pass@1, pass@k, maj@k, their intervals, and tests between two models."""
