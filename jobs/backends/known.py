"""How well something is known of a place that is not ours, and as of when: what the tables of facts are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

Value = TypeVar("Value", int, str)


class Sure(Enum):
    """Where a fact is from, surest first."""

    SOURCE = "in the source of its own programs"
    DOCS = "in its own documentation"
    FILES = "in files that others saved there"
    FIELD = "reported by others from live accounts"
    BELIEVED = "believed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact(Generic[Value]):
    """One thing that is known of a place, `seen` in that month; the units of a number are in its `what`."""

    what: str
    value: Value
    sure: Sure
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a place says when it will not: a part of its text in lower case, what kind that is, and what to do."""

    part: str
    kind: str
    hint: str
    sure: Sure
    seen: str
