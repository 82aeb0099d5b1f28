"""One entry of a run's ledger, and its bytes.

An entry is a JSON object on one line: `schema, seq, prev, at, by, nonce, kind`, what its kind says,
`fold` and, last, `check`. `prev` is the SHA-256 of the whole entry before, so the ledger is a hash
chain. `check` is the SHA-256 of the entry's own bytes up to it: the newest entry has no successor to
vouch for it, and one flipped byte in it must be noticed too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from facegan.errors import DamagedError
from facegan.experiment import Json

SCHEMA = 1
GENESIS = "0" * 64
LARGEST_ENTRY = 4 << 20  # bytes: a thousand times what entries have
_CHECK = b',"check":"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One committed fact.

    `at` is the writer's wall clock, for people: no decision reads it. `by` is the holder, the random name
    a process draws when it starts; `nonce` is fresh for every entry. `body` holds what the kind says.
    """

    seq: int
    prev: str
    at: str
    by: str
    nonce: str
    kind: str
    body: Json
    fold: Json
    schema: int = SCHEMA


_HEAD = ("schema", "seq", "prev", "at", "by", "nonce", "kind")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def encode(entry: Entry) -> bytes:
    """The entry's bytes: a pure function of it."""
    fields: Json = {name: getattr(entry, name) for name in _HEAD}
    fields |= entry.body
    fields["fold"] = entry.fold
    sealed = json.dumps(fields, separators=(",", ":"), allow_nan=False).encode()[:-1]
    return sealed + _CHECK + digest(sealed).encode() + b'"}\n'


def is_sealed(data: bytes) -> bool:
    """Whether the bytes are as whoever wrote them sealed them: no more than that."""
    sealed, found, rest = data.rpartition(_CHECK)
    return bool(found) and rest == digest(sealed).encode() + b'"}\n'


def decode(data: bytes, key: str) -> Entry:
    """The inverse of `encode`, for bytes that nobody vouches for.

    Raises:
        DamagedError: they are not an entry, or not as it was written; names the key.
    """
    if not is_sealed(data):
        raise DamagedError(
            f'the ledger entry "{key}" is not as it was written',
            hint="restore it from a copy of the store; nothing was changed",
        )
    try:
        fields: dict[str, Any] = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:  # sealed by somebody who is not this program
        raise DamagedError(f'the ledger entry "{key}" is no JSON: {error}') from error
    try:
        head = {name: fields.pop(name) for name in _HEAD}
        fold = fields.pop("fold")
    except KeyError as error:
        raise DamagedError(f'the ledger entry "{key}" lacks {error}') from error
    del fields["check"]
    return Entry(**head, fold=fold, body=fields)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
