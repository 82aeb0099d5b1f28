"""What this machine remembers of its dealings with a place, for the moments in which the place cannot tell.

Small files below one folder, each whole or absent. A lost one costs a look, or certainty for a minute: never a session.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

PARTIAL = ".partial"


class Notes:
    """What every place's have. Each is of a session's, a machine's or a run's name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lock(self, run: str) -> Path:
        """The file by which one command at a time launches sessions of the run."""
        return self.folder / "launching" / run

    def been(self, there: str) -> None:
        """A session may be asked for there, in a region or a project: it is looked for there from now on."""
        self.write("places", there, "")

    def places(self) -> list[str]:
        """Where this machine has asked for sessions."""
        return self.names("places")

    def missed(self, name: str, now: float) -> float:
        """Its place does not know it; since when it does not, as far as was asked."""
        return self._since("missed", name, now)

    def seen(self, name: str, now: float) -> float:
        """It is there; since when, as far as was looked, where its place does not say."""
        return self._since("seen", name, now)

    def found(self, name: str) -> None:
        self.forget("missed", name)

    def asking(self, name: str) -> None:
        """It is about to be asked for, and the answer is not known yet."""
        self.write("asked", name, "")

    def answered(self, name: str) -> None:
        self.forget("asked", name)

    def is_unanswered(self, name: str) -> bool:
        return (self.folder / "asked" / name).exists()

    def names(self, kind: str) -> list[str]:
        with contextlib.suppress(OSError):
            return sorted(path.name for path in (self.folder / kind).iterdir() if path.suffix != PARTIAL)
        return []

    def write(self, kind: str, name: str, text: str) -> None:
        path = self.folder / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{name}{PARTIAL}")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)

    def _since(self, kind: str, name: str, now: float) -> float:
        try:
            return float((self.folder / kind / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.write(kind, name, str(now))
            return now

    def forget(self, kind: str, name: str) -> None:
        (self.folder / kind / name).unlink(missing_ok=True)
