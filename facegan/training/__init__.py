"""Training: explicit state, one fused step, randomness that is a function of (seed, purpose, step)."""
