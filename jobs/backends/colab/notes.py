"""What this machine knows of one session at Colab, in a folder of the session's own that only its user can read.

The command keeps here which machine has the session's name: Colab itself knows no names. So a name is found again on
this machine alone; on others a session is known by its endpoint, which is in the ledger.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from facegan.experiment import Json
from jobs.backends.colab import naming

LONGEST_LOG = 256 * 1024


class Notes:
    """Of one session. Whatever is lost here costs a look, or leaves a machine idle until Colab takes it away."""

    def __init__(self, home: Path, session: str) -> None:
        self.folder = home / "colab" / session
        self.session = session

    @property
    def state(self) -> Path:
        """The command's own file (`--config`)."""
        return self.folder / "sessions.json"

    @property
    def handed(self) -> Path:
        """What the session is handed, for as long as it takes to upload it."""
        return self.folder / naming.HANDED

    @property
    def begun(self) -> Path:
        """Made when the session was first heard of, and never written again."""
        return self.folder / "begun"

    def open(self) -> None:
        """Make the folder, and in it a file that stays as it is: its age is the session's."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            self.begun.touch(mode=0o600, exist_ok=False)

    def adopt(self, endpoint: str) -> None:
        """Have the command know the machine at this endpoint by the session's name; it asks Colab for the rest."""
        self.open()
        entry = {"name": self.session, "token": "", "url": "", "endpoint": endpoint}
        self._write("sessions.json", {self.session: entry})

    def trying(self) -> None:
        """A machine that may be somebody else's is about to be adopted, to look whether it is used."""
        self._write("trying.json", {})

    def tried(self) -> None:
        (self.folder / "trying.json").unlink(missing_ok=True)

    def is_trying(self) -> bool:
        return (self.folder / "trying.json").exists()

    def forget(self) -> None:
        self.state.unlink(missing_ok=True)

    def endpoint(self) -> str | None:
        """The machine that has the session's name, as far as this machine knows."""
        entry = self._read("sessions.json").get(self.session)
        return str(entry["endpoint"]) if isinstance(entry, dict) and "endpoint" in entry else None

    def creating(self, before: Collection[str]) -> None:
        """A machine is about to be asked for; these endpoints were there before."""
        self._write("creating.json", {"before": sorted(before)})

    def before(self) -> Collection[str] | None:
        """The endpoints that were there before a machine was asked for; `None` when none was, or it has its name."""
        found = self._read("creating.json").get("before")
        return found if isinstance(found, list) else None

    def created(self) -> None:
        (self.folder / "creating.json").unlink(missing_ok=True)

    def missed(self, now: float) -> float:
        """Colab does not know the machine; since when it does not, as far as was asked."""
        found = self._read("missed.json").get("since")
        if isinstance(found, int | float):
            return float(found)
        self._write("missed.json", {"since": now})
        return now

    def staying(self) -> None:
        """The machine's kernel is busy for as long as the session's process lives, and says when it does not."""
        self._write("stays.json", {})

    def stays(self) -> bool:
        return (self.folder / "stays.json").exists()

    def found(self) -> None:
        (self.folder / "missed.json").unlink(missing_ok=True)

    def hand_over(self, data: bytes) -> None:
        """Write what the session is handed, readable by its owner alone from the first byte on."""
        self.open()
        self.handed.unlink(missing_ok=True)
        handle = os.open(self.handed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)

    def keep_log(self, text: str) -> None:
        self.open()
        (self.folder / naming.LOG).write_text(text[-LONGEST_LOG:], encoding="utf-8")

    def log(self) -> str:
        with contextlib.suppress(OSError):
            return (self.folder / naming.LOG).read_text(encoding="utf-8")
        return ""

    def age_s(self, now: float) -> float:
        """How long ago the session was first heard of here, in seconds."""
        with contextlib.suppress(OSError):
            return now - self.begun.stat().st_mtime
        return 0.0

    def close(self) -> None:
        """Remove everything but the log: the session is over."""
        for path in sorted(self.folder.iterdir()) if self.folder.exists() else ():
            if path.name != naming.LOG:
                path.unlink(missing_ok=True)

    def _write(self, name: str, body: Json) -> None:
        self.open()
        partial = self.folder / f"{name}.{os.getpid()}"
        partial.write_text(json.dumps(body))
        partial.replace(self.folder / name)

    def _read(self, name: str) -> Json:
        try:
            found = json.loads((self.folder / name).read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def sessions(home: Path) -> Iterator[Notes]:
    """Those of every session that this machine has heard of."""
    folder = home / "colab"
    if folder.exists():
        for path in sorted(folder.iterdir()):
            if (path / "sessions.json").exists() or (path / "creating.json").exists():
                yield Notes(home, path.name)
