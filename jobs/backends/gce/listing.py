"""Machines as Compute Engine lists them: which session each is for, by its labels, and which of several is the one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from facegan.experiment import Json
from facegan.process import Life
from jobs.backends import marks
from jobs.backends.base import Found
from jobs.backends.gce import ending, naming


def first(found: Sequence[Json]) -> Json:
    """Of several machines of one name, which nobody should ever see, one that lives, and of those the oldest."""
    return min(found, key=lambda each: (ending.life(each) is Life.GONE, made_at(each)))


def zone(described: Json) -> str:
    """Of a machine or an operation, which name it by its URL."""
    return str(described["zone"]).rpartition("/")[2]


def number(described: Json) -> int:
    return marks.number(str(described.get("labels", {}).get(naming.SESSION, "")))


def run(described: Json) -> str:
    """The id itself, which may not fit into a label."""
    items = described.get("metadata", {}).get("items", [])
    return next((str(each.get("value")) for each in items if each.get("key") == naming.RUN), "")


def made_at(described: Json) -> datetime:
    return datetime.fromisoformat(str(described["creationTimestamp"]))


def age_s(described: Json, now: float) -> float:
    return now - made_at(described).timestamp()


def found(described: Json, project: str, now: float) -> Found:
    """A machine as its labels say. Its ref is, word for word, the one that it has told its session."""
    return Found(
        ref=ref(described, project, marks.log(run(described), number(described))),
        run=run(described),
        digest=str(described.get("labels", {}).get(naming.URL, "")),
        number=number(described),
        age_s=age_s(described, now),
        state=str(described.get("status")),
        where=zone(described),
    )


def ref(described: Json, project: str, log: str) -> Json:
    """What a session's machine is known by: to whoever made it, and to itself (`script.handed`)."""
    return of(str(described["name"]), str(described["id"]), zone(described), project, log)


def ref_of_operation(operation: Json, project: str, log: str) -> Json:
    """The same, from the operation that makes it."""
    name = str(operation["targetLink"]).rpartition("/")[2]
    return of(name, str(operation["targetId"]), zone(operation), project, log)


def of(name: str, identity: str, zone: str, project: str, log: str) -> Json:
    return {"instance": name, "id": identity, "zone": zone, "project": project, "log": log}
