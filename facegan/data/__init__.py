"""Training images, by the name of their data set; checked on every load."""

from __future__ import annotations

from facegan.data.cache import load, prepare
from facegan.data.images import Images

__all__ = ["Images", "load", "prepare"]
