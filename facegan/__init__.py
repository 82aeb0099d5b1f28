"""Trains face-generating GANs so that no interruption can cost a run more than a few minutes."""

__version__ = "0.1.0"
