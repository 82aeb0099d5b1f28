"""Run one command as its users do, in an interpreter of its own, and say which modules it loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_RUN = """
import json, sys
sys.argv[0] = "facegan-job"
from jobs.cli import run
code = run(json.loads(sys.argv[1]))
sys.stdout.flush()
json.dump({"code": int(code), "modules": sorted(sys.modules)}, open(sys.argv[2], "w"))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """How a command ended, and everything it had loaded by then."""

    code: int
    modules: frozenset[str]
    out: str
    err: str


def start(*arguments: str, report: Path) -> Started:
    """The environment, `FACEGAN_HOME` included, is this process'."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, json.dumps(arguments), str(report)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(report.read_text())
    return Started(code=found["code"], modules=frozenset(found["modules"]), out=done.stdout, err=done.stderr)
