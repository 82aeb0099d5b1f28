"""`facegan-job doctor`."""

from __future__ import annotations

from dataclasses import asdict

from jobs import context as contexts
from jobs import settings
from jobs.cli import options, output
from jobs.doctor import examine
from jobs.errors import Exit

MARKS = {True: "ok", False: "FAIL", None: "-"}


def doctor(store: options.Store = None, json: options.Json = False) -> int:
    """Check what the tool needs on this machine."""
    checks = examine(contexts.real(settings.load({"store": store})))
    if json:
        output.as_json([asdict(check) for check in checks])
    else:
        output.table(("", "CHECK", "FOUND"), ((MARKS[c.ok], c.name, c.found) for c in checks))
        for check in checks:
            if check.ok is False:
                output.error(f"{check.name}: {check.found}", check.hint)
    return Exit.ERROR if any(check.ok is False for check in checks) else Exit.OK
