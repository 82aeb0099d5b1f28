"""Sessions as workflows of Gradient, at Paperspace (docs/gradient.md)."""
