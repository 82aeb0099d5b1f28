"""How a machine of EC2 ended, from what EC2 says of it and from its own last words."""

from __future__ import annotations

from facegan.experiment import Json
from facegan.process import Life
from jobs.backends.ec2 import facts

LIVES: dict[str, Life] = {
    "pending": Life.ALIVE,
    "running": Life.ALIVE,
    "shutting-down": Life.ALIVE,  # its processes may be at work for some seconds more
    "stopping": Life.ALIVE,
    "stopped": Life.GONE,  # it would not begin its session again, were it started
    "terminated": Life.GONE,
}


def life(described: Json) -> Life:
    """Of a state that nobody knows, nothing is concluded."""
    return LIVES.get(str(described.get("State", {}).get("Name")), Life.UNKNOWN)


def is_wanted(described: Json) -> bool:
    """Whether it is there, or on its way, and not already on its way out."""
    return described["State"]["Name"] in {"pending", "running"}


def ended_itself(described: Json) -> bool:
    """Whether the machine's own words say why it ended."""
    return _code(described) in {facts.ITSELF, ""}


def why(described: Json, said: str | None) -> str:
    """In the words of the run's history. `said` are the machine's own, if there are any."""
    code = _code(described)
    if ended_itself(described):
        return said or "its machine shut down by itself, and has said nothing"
    if described["State"]["Name"] == "stopped":
        return "its machine was stopped"
    message = described.get("StateReason", {}).get("Message") or code
    return facts.REASONS.get(code, f"its machine is gone: {message}")


def _code(described: Json) -> str:
    return str((described.get("StateReason") or {}).get("Code") or "")
