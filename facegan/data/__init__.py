"""Training images: from what a person downloads to one array, and from that array to a training."""

from __future__ import annotations

from facegan.data.images import Images
from facegan.data.reading import load

__all__ = ["Images", "load"]
