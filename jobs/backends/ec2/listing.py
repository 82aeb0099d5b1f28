"""Machines as EC2 lists them: which session each is for, by its tags, and which of several is the one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from facegan.experiment import Json
from facegan.process import Life
from jobs.backends import marks
from jobs.backends.base import Found
from jobs.backends.ec2 import ending, naming


def first(found: Sequence[Json]) -> Json:
    """Of several machines of one name, which nobody should ever see, one that lives, and of those the oldest."""
    return min(found, key=lambda each: (ending.life(each) is Life.GONE, each["LaunchTime"]))


def tags(described: Json) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in described.get("Tags", ())}


def age_s(described: Json, now: float) -> float:
    made_at: datetime = described["LaunchTime"]
    return now - made_at.timestamp()


def found(described: Json, region: str, now: float) -> Found:
    """A machine as its tags say. Its ref is, word for word, the one that it has told its session."""
    said = tags(described)
    run, number = said.get(naming.RUN, ""), marks.number(said.get(naming.SESSION, ""))
    return Found(
        ref=naming.ref(described["InstanceId"], region, described["OwnerId"], marks.log(run, number)),
        run=run,
        digest=said[naming.URL],
        number=number,
        age_s=age_s(described, now),
        state=str(described["State"]["Name"]),
        where=region,
    )
