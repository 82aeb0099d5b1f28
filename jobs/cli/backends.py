"""`facegan-job backends`."""

from __future__ import annotations

from jobs import settings
from jobs.backends import BACKENDS, open_backend
from jobs.cli import options, output


def backends(json: options.Json = False) -> None:
    """List where sessions can run, and on which GPUs."""
    found = {name: open_backend(name, settings.load()).capabilities() for name in BACKENDS}
    if json:
        output.as_json(
            [
                {"name": name, "summary": c.summary, "gpus": list(c.gpus), "stores": list(c.stores)}
                for name, c in found.items()
            ]
        )
        return
    rows = ((name, ", ".join(c.gpus) or "none", ", ".join(c.stores), c.summary) for name, c in found.items())
    output.table(("NAME", "GPUS", "STORES", "WHAT"), rows)
