"""Why a picture is left out, and when too many are: never a traceback, never a silent drop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from facegan.errors import BadInputError

# Of the pictures that were looked at, so many may be unusable; above both, something is wrong with the set itself.
TOLERATED = 10
TOLERATED_SHARE = 0.05
NAMED = 3  # unusable pictures that an error calls by name

EMPTY = "empty file"
NOT_A_PICTURE = "not a picture"
BROKEN = "broken or cut short"
BOMB = "too many pixels"
TOO_SMALL = "too few pixels"
DEPTH = "a colour depth that cannot be read"
TOO_LARGE = "too large a file"
UNREADABLE = "cannot be read"
OTHER_SIZE = "not of the size of the first one"
NO_FACE = "no face found"

OUTSIDE = "points outside the archive"
LINK = "a link"
SPECIAL = "not a regular file"
ENCRYPTED = "encrypted"
PACKING = "packed in an unknown way"
TWICE = "listed twice"
UNNAMEABLE = "a name that cannot be written"
HIDDEN = "hidden file"
OTHER_FILE = "not named like a picture"

NO_IMAGE = "a row without an image"
NO_ROW = "an image without a row"
BROKEN_ROW = "a row that cannot be read"


class Skip(Exception):  # noqa: N818 - not an error: one picture less
    """This picture is left out, for this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the pictures that were looked at.

    Attributes:
        looked: How many were looked at, good or not.
        reasons: Why some were left out -> how many.
        names: The first `NAMED` of those, each with its reason.

    """

    looked: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    @property
    def skipped(self) -> int:
        return sum(self.reasons.values())

    def skip(self, name: str, reason: str) -> None:
        count(self.reasons, reason)
        if len(self.names) < NAMED:
            self.names.append(f'"{name}" ({reason})')

    def check(self, of: int) -> None:
        """Give up on a set of which too much is unusable.

        Args:
            of: How many pictures there are to look at in all, or were looked at.

        Raises:
            BadInputError: more than `TOLERATED` and more than `TOLERATED_SHARE` of them were left out.
        """
        if is_too_much(self.skipped, of):
            raise BadInputError(
                f"{self.skipped:,} of {self.looked:,} pictures cannot be used, more than {TOLERATED_SHARE:.0%}: "
                f"{listed(self.reasons)}; the first are {', '.join(self.names)}",
                hint="take these files out, or fetch the set again, and repeat the command",
            )


def is_too_much(skipped: int, of: int) -> bool:
    """Whether of so many pictures more cannot be used than a good set has."""
    return skipped > TOLERATED and skipped > TOLERATED_SHARE * of


def count(reasons: dict[str, int], reason: str, times: int = 1) -> None:
    """Add to a count by reason; nothing is noted that did not happen."""
    if times:
        reasons[reason] = reasons.get(reason, 0) + times


def listed(reasons: Mapping[str, int]) -> str:
    """Reasons with their counts, the most frequent first."""
    frequent = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{times:,} {reason}" for reason, times in frequent)
