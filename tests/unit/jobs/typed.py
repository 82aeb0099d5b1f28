"""Commands as a person types them, in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobs.cli import run


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command answered: its exit code, its data, and everything else it said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The data, which are one JSON value and nothing else."""
        return json.loads(self.out)

    @property
    def hint(self) -> str:
        return "".join(line for line in self.err.splitlines() if line.startswith("hint: "))


class Cli:
    """Types commands. None may ever answer with a traceback of its own: only what a session printed may hold one."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured

    def __call__(self, *arguments: str) -> Said:
        self._captured.readouterr()
        code = run(list(arguments))
        out, err = self._captured.readouterr()
        assert "Traceback" not in (err if arguments[:1] == ("logs",) else out + err)
        assert "this is a defect" not in err, err
        return Said(code=int(code), out=out, err=err)


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}
