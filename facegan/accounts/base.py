"""The port to an account, and what it hands out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from facegan.experiment import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a session must reach: the run `run`, to extend it, and the keys below `reads`, to read them.

    Below `makes` it may write, too: where it puts data that it has to prepare. What is there is named by its digest,
    so nobody can change it unnoticed.
    """

    run: str
    reads: Sequence[str] = ()
    makes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What another machine needs in its environment. Secret: for the user's eyes, or a private channel, alone.

    `files` by the variable that must name their place. `until` is when they end by themselves; `None` for never.
    `warnings` say what they reach beyond what was asked for.
    """

    environment: Mapping[str, str] = field(repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    until: datetime | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing about a bucket. `ok` is `None` for what is good to know and no fault."""

    name: str
    ok: bool | None
    found: str
    hint: str = ""


class Account(Protocol):
    """An account at a cloud, as the credentials of this machine reach it."""

    @abstractmethod
    def policy(self) -> Json:
        """The rights that the user of this store takes, in the provider's own form. Asks nobody."""

    @abstractmethod
    def bucket(self) -> Sequence[Finding]:
        """How the bucket is set up: what docs/storage.md asks for, each looked at.

        Raises:
            UnreachableError: no answer.
        """

    @abstractmethod
    def mint(self, reach: Reach, *, lasts_s: float | None, role: str | None) -> Credentials:
        """Credentials for a session that reach this and no more, as far as the provider can.

        They last at least `lasts_s` seconds, or for `None` as long as the provider lets them. `role` is one to
        take on for it, where the provider has such.

        Raises:
            BadInputError: they cannot last so long, or there are no roles.
            RefusedError: the account may not make them.
            UnreachableError: no answer.
        """

    @abstractmethod
    def minted(self) -> Sequence[str]:
        """The runs of this store with credentials that do not end by themselves.

        Raises:
            RefusedError: the account may not look.
            UnreachableError: no answer.
        """

    @abstractmethod
    def revoke(self, run: str) -> bool:
        """End what was minted for the run and does not end by itself; whether there was any. May be repeated."""
