"""What this machine remembers of its dealings with Kaggle, for the questions that Kaggle cannot answer.

A lost note costs a look-up, or leaves a data set behind; it never makes a second session.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


class Notes:
    """Empty files of telling names below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def lock(self, run: str) -> Path:
        return self._folder / "launching" / run

    def sending(self, kernel: str) -> None:
        """A push of this kernel is about to be sent, and its answer is not known yet."""
        _touch(self._folder / "sent" / kernel)

    def answered(self, kernel: str) -> None:
        (self._folder / "sent" / kernel).unlink(missing_ok=True)

    def is_unanswered(self, kernel: str) -> bool:
        return (self._folder / "sent" / kernel).exists()

    def missed(self, kernel: str, now: float) -> float:
        """Kaggle does not know this kernel; since when it does not, as far as was asked."""
        path = self._folder / "missed" / kernel
        try:
            return float(path.read_text())
        except (OSError, ValueError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(now))
            return now

    def found(self, kernel: str) -> None:
        (self._folder / "missed" / kernel).unlink(missing_ok=True)

    def making(self, dataset: str) -> None:
        """A data set of this name is about to be made."""
        _touch(self._folder / "datasets" / dataset)

    def made_at(self, dataset: str) -> float | None:
        """By this machine's clock; `None` for one that it did not make."""
        try:
            return (self._folder / "datasets" / dataset).stat().st_mtime
        except FileNotFoundError:
            return None

    def removed(self, dataset: str) -> None:
        (self._folder / "datasets" / dataset).unlink(missing_ok=True)

    def datasets(self) -> Iterator[str]:
        folder = self._folder / "datasets"
        if folder.exists():
            yield from sorted(path.name for path in folder.iterdir())


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
