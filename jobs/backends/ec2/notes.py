"""What this machine remembers of its dealings with EC2, for the moments in which EC2 does not know yet what it has.

A machine that was made some seconds ago may not be listed yet. A lost note costs certainty in those seconds alone.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from jobs.backends.ec2.request import Candidate


class Notes:
    """Small files below one folder, each of a session's name or a machine's id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def lock(self, run: str) -> Path:
        return self._folder / "launching" / run

    def asking(self, name: str, candidate: Candidate) -> None:
        """This machine is about to be asked for, and the answer is not known yet."""
        self._write("asked", name, json.dumps([candidate.type, candidate.zone]))

    def answered(self, name: str) -> None:
        (self._folder / "asked" / name).unlink(missing_ok=True)

    def asked(self, name: str) -> Candidate | None:
        """What was asked for and not answered, as far as this machine knows."""
        with contextlib.suppress(OSError, ValueError):
            type, zone = json.loads((self._folder / "asked" / name).read_text(encoding="utf-8"))
            return Candidate(type=str(type), zone=str(zone))
        return None

    def been(self, region: str) -> None:
        """A machine may be asked for in this region: it is looked for there from now on."""
        self._write("regions", region, "")

    def regions(self) -> list[str]:
        """Where this machine has asked for machines."""
        with contextlib.suppress(OSError):
            return sorted(path.name for path in (self._folder / "regions").iterdir() if path.suffix != ".partial")
        return []

    def missed(self, identity: str, now: float) -> float:
        """EC2 does not know this machine; since when it does not, as far as was asked."""
        try:
            return float((self._folder / "missed" / identity).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._write("missed", identity, str(now))
            return now

    def found(self, identity: str) -> None:
        (self._folder / "missed" / identity).unlink(missing_ok=True)

    def _write(self, kind: str, name: str, text: str) -> None:
        path = self._folder / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
