"""Prepared data: one array of images, one table of what is known of them, and a manifest of both.

On a machine they are `$FACEGAN_HOME/data/<name>/<digest>/{images.npy,attributes.csv,manifest.json}`: a folder
that is there whole or not at all. In a store they are `datasets/<name>/<digest>/`: the array in parts of
32 MiB, the table, and last the manifest, which makes them whole.

`digest` is the SHA-256 of the bytes of `images.npy` followed by those of `attributes.csv`, so that
`cat images.npy attributes.csv | sha256sum` shows it. Whoever knows the digest has to trust nobody else.
"""

from __future__ import annotations

from facegan.prepared.local import (
    describe,
    find_local,
    folder_of,
    install,
    list_local,
    list_unfinished,
    read_local,
    require_room,
    require_whole,
    verify,
)
from facegan.prepared.manifest import MOST_PIXELS, Finding, Manifest, Piece, fault_of, header
from facegan.prepared.stored import find_stored, list_stored, read, read_stored, verify_stored
from facegan.prepared.transfer import fetch, mend, upload

__all__ = [
    "MOST_PIXELS",
    "Finding",
    "Manifest",
    "Piece",
    "describe",
    "fault_of",
    "fetch",
    "find_local",
    "find_stored",
    "folder_of",
    "header",
    "install",
    "list_local",
    "list_stored",
    "list_unfinished",
    "mend",
    "read",
    "read_local",
    "read_stored",
    "require_room",
    "require_whole",
    "upload",
    "verify",
    "verify_stored",
]
