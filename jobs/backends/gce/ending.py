"""How a machine of Compute Engine ended: from what Google says of it, what was done to it, and its own last words."""

from __future__ import annotations

from collections.abc import Sequence

from facegan.experiment import Json
from facegan.process import Life
from jobs.backends.gce import facts, refusals

LIVES: dict[str, Life] = {
    "PENDING": Life.ALIVE,
    "PROVISIONING": Life.ALIVE,
    "STAGING": Life.ALIVE,
    "RUNNING": Life.ALIVE,
    "PENDING_STOP": Life.ALIVE,
    "STOPPING": Life.ALIVE,  # its processes may be at work for some seconds more
    "DEPROVISIONING": Life.ALIVE,
    "TERMINATED": Life.GONE,  # it has shut down; it would not begin its session again, were it started
}
WANTED = frozenset({"PENDING", "PROVISIONING", "STAGING", "RUNNING"})
SYSTEM = "system"
"""Before Google's own name for itself, where it says who has done something."""


def life(described: Json) -> Life:
    """Of a state that nobody knows, nothing is concluded."""
    return LIVES.get(str(described.get("status")), Life.UNKNOWN)


def is_wanted(described: Json) -> bool:
    """Whether it is there, or on its way, and not already on its way out."""
    return described.get("status") in WANTED


def is_being_made(history: Sequence[Json]) -> bool:
    return any(each.get("operationType") == "insert" and each.get("status") != "DONE" for each in history)


def ended_itself(history: Sequence[Json], service_account: str) -> bool:
    """Whether the machine's own words say why it ended: nobody else has done anything that would say it."""
    return _by_others(history, service_account) is None


def why(history: Sequence[Json], service_account: str, said: str | None) -> str:
    """In the words of the run's history. `history` is what was done to it, `said` its own words, if there are any."""
    ended = _by_others(history, service_account)
    if ended is None:
        return said or "its machine ended by itself, and has said nothing"
    type, user = str(ended.get("operationType")), str(ended.get("user", ""))
    if type == "insert":
        failed = refusals.of_operation(ended)
        return f"its machine was never made: {failed.message if failed else 'nobody says why'}"
    if type == "delete":
        if not user.startswith(SYSTEM):
            return "its machine was deleted"
        return said or "Compute Engine deleted its machine"  # its longest life was over, or what had ended is removed
    return facts.REASONS.get(type, f"its machine is gone: {type}")


def _by_others(history: Sequence[Json], service_account: str) -> Json | None:
    """What ended it, where that was not the machine itself. What ends a machine comes before what follows from it."""
    ordered = sorted(history, key=lambda each: str(each.get("insertTime")))
    failed = [each for each in ordered if each.get("operationType") == "insert" and refusals.of_operation(each)]
    told = [each for each in ordered if each.get("operationType") in facts.REASONS]
    deleted = [each for each in ordered if each.get("operationType") == "delete"]
    by_others = [] if any(each.get("user") == service_account for each in deleted) else deleted
    return next(iter([*failed, *told, *by_others]), None)
