"""What can be decided for a run. `why` is for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Nothing is to be done. `over`: nor will there be, until the user says something else."""

    why: str
    over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing is to be done before `until`, in Unix seconds.

    `lacking`: nor then, unless this machine or another one that watches has by then what is lacking here.
    """

    why: str
    until: float
    lacking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bury:
    """Session `number` is gone for certain: `why` is the evidence."""

    number: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Session `number` was asked for, and nobody has written down that it was launched: launch it, or find it."""

    number: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Ask `backend` for session `number`, which nobody has asked for."""

    number: int
    backend: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """The run goes on no more by itself. `why` is for the user, who may `resume` it."""

    why: str


Rest = Leave | Wait | GiveUp
Action = Rest | Bury | Begin | Ask
