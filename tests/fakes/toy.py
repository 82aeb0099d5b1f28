"""The toy that the product rehearses with, for all tests that drive the real session."""

from __future__ import annotations

from jobs.rehearsal.toy import PNG, ToyTrainer, draw

__all__ = ["PNG", "ToyTrainer", "draw"]
