"""What this machine remembers of its dealings with EC2, for the moments in which EC2 does not know yet what it has.

A machine that was made some seconds ago may not be listed yet. A lost note costs certainty in those seconds alone.
"""

from __future__ import annotations

import contextlib
import json

from jobs.backends import notes
from jobs.backends.vm import Candidate


class Notes(notes.Notes):
    """Of sessions, of the machines that are asked for, and of regions, which are the places."""

    def asking_for(self, name: str, candidate: Candidate) -> None:
        """This machine is about to be asked for, and the answer is not known yet."""
        self.write("asked", name, json.dumps([candidate.type, candidate.zone]))

    def been_in_queue(self, region: str, queue: str) -> None:
        self.write("queues", f"{region},{queue}", "")

    def queues(self, region: str) -> list[str]:
        """Those of the region in which this machine has asked for jobs."""
        every = (each.partition(",") for each in self.names("queues"))
        return [queue for at, _, queue in every if at == region]

    def asked(self, name: str) -> Candidate | None:
        """What was asked for and not answered, as far as this machine knows."""
        with contextlib.suppress(OSError, ValueError):
            type, zone = json.loads((self.folder / "asked" / name).read_text(encoding="utf-8"))
            return Candidate(type=str(type), zone=str(zone))
        return None
