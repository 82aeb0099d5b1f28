"""What machines and jobs have left on an engine. Other tests have containers there too, of runs of the same name."""

from __future__ import annotations

from typing import Any

from jobs.backends.base import digest


def containers(engine: Any, run_url: str) -> list[Any]:
    """Those of one run in one store, whether or not they run."""
    return list(engine.containers.list(all=True, filters=_named(run_url)))


def clear(engine: Any, run_url: str) -> None:
    for container in containers(engine, run_url):
        container.remove(force=True, v=True)
    for volume in engine.volumes.list(filters=_named(run_url)):
        volume.remove()


def _named(run_url: str) -> dict[str, str]:
    """A regular expression: a machine's container and a job's are named after their run, and its URL in digits."""
    return {"name": f"^/?facegan-.*-{digest(run_url)[:6]}"}
