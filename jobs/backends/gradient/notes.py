"""What this machine remembers of its dealings with Gradient, for the moments in which a list is not up to date.

A lost note costs a look, never certainty: who begins a number twice finds it leased.
"""

from __future__ import annotations

from pathlib import Path


class Notes:
    """Small files of telling names below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def lock(self, run: str) -> Path:
        return self._folder / "launching" / run

    def asking(self, name: str) -> None:
        """A run of this workflow is about to be asked for, and the answer is not known yet."""
        path = self._folder / "asked" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def answered(self, name: str) -> None:
        (self._folder / "asked" / name).unlink(missing_ok=True)

    def is_unanswered(self, name: str) -> bool:
        return (self._folder / "asked" / name).exists()

    def missed(self, name: str, now: float) -> float:
        """Gradient lists no run of this workflow; since when it does not, as far as was asked."""
        path = self._folder / "missed" / name
        try:
            return float(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(now), encoding="utf-8")
            return now

    def found(self, name: str) -> None:
        (self._folder / "missed" / name).unlink(missing_ok=True)
