"""Machines as EC2 lists them: which session each is for, by its tags, and which of several is the one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from facegan import layout
from facegan.errors import BadInputError
from facegan.experiment import Json
from facegan.process import Life
from jobs.backends.base import Found
from jobs.backends.ec2 import ending, naming


def first(found: Sequence[Json]) -> Json:
    """Of several machines of one name, which nobody should ever see, one that lives, and of those the oldest."""
    return min(found, key=lambda each: (ending.life(each) is Life.GONE, each["LaunchTime"]))


def tags(described: Json) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in described.get("Tags", ())}


def number(described: Json) -> int:
    return session(tags(described).get(naming.SESSION, ""))


def session(tag: str) -> int:
    """The number that a tag says; 0, which no session has, where the tag is somebody else's."""
    return int(tag) if tag.isascii() and tag.isdigit() else 0


def age_s(described: Json, now: float) -> float:
    made_at: datetime = described["LaunchTime"]
    return now - made_at.timestamp()


def found(described: Json, region: str, now: float) -> Found:
    """A machine as its tags say. Its ref is, word for word, the one that it has told its session."""
    marks = tags(described)
    run = marks.get(naming.RUN, "")
    return Found(
        ref=naming.ref(described["InstanceId"], region, described["OwnerId"], _log(run, number(described))),
        run=run,
        digest=marks[naming.URL],
        number=number(described),
        age_s=age_s(described, now),
        state=str(described["State"]["Name"]),
        where=region,
    )


def _log(run: str, number: int) -> str:
    try:
        return layout.machine_log(run, number)
    except BadInputError:  # tags that no session of ours has made
        return ""
