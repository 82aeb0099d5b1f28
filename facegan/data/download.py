"""Fetching a data set from where it is published: resumed where it broke off, checked before it is used."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from facegan.errors import BadInputError

TIMEOUT_S = 30.0
CHUNK = 1 << 20
PARTIAL_CONTENT = 206
STEP_PERCENT = 10

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A file with an address and a SHA-256 that somebody else has published too."""

    url: str
    sha256: str

    @property
    def file(self) -> str:
        """Its own name."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """A set that a program cannot be trusted to fetch: what a person has to fetch, where, and why."""

    what: str
    where: str
    why: str


# The checksums of both files are those that Keras itself checks.
PUBLISHED: Mapping[str, Published] = MappingProxyType(
    {
        "mnist": Published(
            url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
            sha256="731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
        ),
        "cifar10": Published(
            url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        ),
    }
)
BY_HAND: Mapping[str, ByHand] = MappingProxyType(
    {
        "celeba": ByHand(
            what="img_align_celeba.zip (1.4 GB), list_attr_celeba.txt and, for the splits, list_eval_partition.txt, "
            "into one folder",
            where="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html "
            "(or https://www.kaggle.com/datasets/jessicali9530/celeba-dataset: one zip with everything)",
            why="it lies in a Google Drive that turns programs away, and its terms have to be agreed to "
            "(believed: non-commercial research only)",
        ),
        "imdb-wiki": ByHand(
            what="wiki_crop.tar (about 1 GB) or imdb_crop.tar (about 7 GB), or both into one folder; "
            "each has its wiki.mat or imdb.mat inside",
            where="https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki/ "
            "(or https://www.kaggle.com/datasets/abhikjha/imdb-wiki-faces-dataset)",
            why="no checksums of it are published, and it is believed to be for academic research only",
        ),
    }
)


class _IncompleteError(Exception):
    """The connection ended before the file did."""


class _WrongFileError(Exception):
    """A whole file came, and it is another."""


def fetch(name: str, into: Path, say: Say, options: Sequence[str] = ()) -> Path:
    """Download the official file of a data set into the folder `into`; returns its path, checked.

    `options` are those of the command that asks for it, which hints repeat.

    A file that is there already is checked and not fetched again. A download that breaks off goes on from
    where it was, in this call as long as each connection brings something, and in the next call after that.

    Raises:
        BadInputError: The set has to be fetched by hand, or there is no such set, or the network, the server or
            the disk refused, or what came is not the published file; says what was tried and what to type then.
    """
    again = " ".join([f"facegan-job data prepare {name} --source PATH", *options])
    if name not in PUBLISHED:
        raise _by_hand(name, again)
    published = PUBLISHED[name]
    final = into / published.file
    if final.is_file() and _sha256(final) == published.sha256:
        return final
    try:
        into.mkdir(parents=True, exist_ok=True)
        # Bytes collect beside the final name, are checked, and take it by a rename: under the final
        # name there is never a part of a file, whenever this process dies.
        partial = into / f".{published.file}.part"
        _complete(published, partial, say)
        _check(published, partial)
        partial.replace(final)
    except (OSError, http.client.HTTPException, _IncompleteError, _WrongFileError) as error:
        raise BadInputError(
            f'"{published.url}" cannot be downloaded: {_reason(error)}',
            hint=f"try again, or fetch {published.file} by other means and type: {again}",
        ) from error
    return final


def _by_hand(name: str, again: str) -> BadInputError:
    if name not in BY_HAND:
        known = f"known: {', '.join(sorted(PUBLISHED))}; by hand: {', '.join(sorted(BY_HAND))}"
        return BadInputError(
            f'nothing is known of where "{name}" is published; {known}',
            hint=again,
        )
    hand = BY_HAND[name]
    return BadInputError(
        f'"{name}" has to be downloaded by hand: {hand.why}. Fetch {hand.what}, from {hand.where}',
        hint=f"{again}, where PATH is that file or folder",
    )


def _reason(error: Exception) -> str:
    told = error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", error)
    return str(told) or type(error).__name__


def _complete(published: Published, partial: Path, say: Say) -> None:
    """Connect until the whole file is there, or until a connection brings nothing."""
    while True:
        before = _size(partial)
        try:
            _continue(published, partial, say)
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException, _IncompleteError):
            if _size(partial) <= before:
                raise
            say(f"{published.file}: the connection broke off at {_size(partial):,} bytes; going on from there")
        else:
            return


def _continue(published: Published, partial: Path, say: Say) -> None:
    """One connection: append what is missing, or start anew where the server cannot resume."""
    have = _size(partial)
    headers = {"User-Agent": "facegan-job", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    # the address is one of this module's own, never a user's
    request = urllib.request.Request(published.url, headers=headers)  # noqa: S310
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # there is nothing beyond: it is complete, or it is not this file, and the checksum tells
        raise
    with answer:
        start = _start(answer.status, answer.headers, have)
        if start != have:
            partial.unlink()
        with partial.open("ab") as file:
            _append(answer, file, _Progress(published.file, start, _whole(answer.headers, start), say))


def _start(status: int, headers: Message, have: int) -> int:
    """Where the answer's first byte stands in the file."""
    if status != PARTIAL_CONTENT:
        return 0
    return have if headers.get("Content-Range", "").startswith(f"bytes {have}-") else 0


def _whole(headers: Message, start: int) -> int | None:
    length = headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


class _Progress:
    """How far a download is, said at every tenth of it."""

    def __init__(self, file: str, have: int, whole: int | None, say: Say) -> None:
        self.file = file
        self.have = have
        self.whole = whole
        self._say = say
        self._said = self._percent()
        self._tell()

    def add(self, count: int) -> None:
        """Count bytes that are on the disk."""
        self.have += count
        if self._percent() >= self._said + STEP_PERCENT:
            self._said = self._percent() // STEP_PERCENT * STEP_PERCENT
            self._tell()

    def _percent(self) -> int:
        return 100 * self.have // self.whole if self.whole else 0

    def _tell(self) -> None:
        of = f" of {self.whole / 1e6:,.1f}" if self.whole else ""
        self._say(f"{self.file}: {self.have / 1e6:,.1f}{of} MB")


def _append(answer: http.client.HTTPResponse, file: BinaryIO, progress: _Progress) -> None:
    while piece := answer.read1(CHUNK):  # what has come: `read` would wait for all of it, and lose it to a time-out
        file.write(piece)
        progress.add(len(piece))
    file.flush()
    os.fsync(file.fileno())
    if progress.whole is not None and progress.have < progress.whole:
        raise _IncompleteError(f"it broke off after {progress.have:,} of {progress.whole:,} bytes")


def _check(published: Published, partial: Path) -> None:
    found = _sha256(partial)
    if found != published.sha256:
        partial.unlink()  # kept, it would be gone on with for ever
        raise _WrongFileError(
            f"what came is not the published file (its SHA-256 is {found[:16]}…, not {published.sha256[:16]}…); "
            "it is deleted"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
