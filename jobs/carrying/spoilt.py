"""What is said of a session's work that can never become part of the run's history."""

from __future__ import annotations

from facegan.errors import FaceganError


class SpoiltError(FaceganError):
    """What a carried session left is whole, and cannot be taken: today or tomorrow."""
