"""From a source of pictures to one array of images and one table of what is known of them.

The pictures are decoded side by side and come back in order, so that what is made depends on the options and the
source alone: not on the number of cores, and not on how often the work was killed and taken up again. Memory holds
the list of items and what the processes have in hand; the array itself is only appended to (`facegan.data.unfinished`).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

import PIL

import facegan
from facegan.data import skipping, unfinished
from facegan.data.crop import CROPS
from facegan.data.readers import Readers, cores, readers
from facegan.data.rendering import Pixels, Rendering
from facegan.data.skipping import Tally
from facegan.data.source import Item, Source
from facegan.data.unfinished import Record, Unfinished
from facegan.errors import BadInputError, FaceganError
from facegan.layout import ATTRIBUTES, IMAGES
from facegan.prepared import MOST_PIXELS, Manifest, describe, fault_of
from facegan.setting import unknown

Say: TypeAlias = Callable[[str], object]  # shows one line of progress, in the place of the one before
Good: TypeAlias = tuple[Item, Pixels]

COMMIT_S = 1.0  # the most work that a kill undoes
SAY_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is made of a source.

    Attributes:
        name: What the data set will be called.
        size: Pixels of an image, both ways; `None`: as the crop leaves them, and then all must be equal.
        crop: `none`, `reference`, `center` (see `facegan.data.crop`) or `face` (`facegan.data.faces`).
        limit: The most images; the first good ones in the source's order.
        domains: A column. As many images are kept with it (not 0) as without it, the first good ones of each, and
            they take turns: without, with, without, with. So a rare attribute fills half, in any first part as well.
        origin: What it was made of, in words, for the manifest.

    """

    name: str
    size: int | None = None
    crop: str = "none"
    limit: int | None = None
    domains: str | None = None
    origin: str = ""

    def __post_init__(self) -> None:
        if self.crop not in CROPS:
            raise unknown("crop", self.crop, CROPS)
        one_of_each = 1 if self.domains is None else 2
        for key, value, least in (("size", self.size, 1), ("limit", self.limit, one_of_each)):
            if value is not None and value < least:
                hint = f"--{key} {least} or more"
                raise BadInputError(f'the {key} must be at least {least}, not "{value}"', hint=hint)
        if self.size is not None and self.size > MOST_PIXELS:
            raise BadInputError(f'the size must be at most {MOST_PIXELS:,} pixels, not "{self.size}"', hint="--size 64")


@runtime_checkable
class Packed(Protocol):
    """A source that can be read faster, or only, from a file that it unpacks into a folder."""

    def unpacked(self, folder: Path) -> Source: ...


def prepare(options: Options, source: Source, into: Path, say: Say, *, processes: int | None = None) -> Manifest:
    """Make `into/images.npy` and `into/attributes.csv`, and return what `into/manifest.json` is to say of them.

    `images.npy`: (n, h, w, c), uint8, c = 1 where the source has grey pixels, else RGB; `attributes.csv`: name and
    columns of each, in the same order. Unfinished work lies in a hidden folder of `into`, named after the options and
    the source: the same call goes on there. The caller sees to it that one process at a time works on `into`.

    Args:
        options: What is made.
        source: What it is made of.
        into: A folder; made if need be. Both files take the place of others of their name.
        say: Is given a line of progress a few times a second.
        processes: How many read side by side; as many as there are cores unless it is said. Changes no byte.

    Raises:
        BadInputError: too many pictures cannot be used (`skipping.TOLERATED`), or none can; no such column, or one
            that no manifest may name. What was made until then goes: of this source nothing better can be made.
        FaceganError: the disk is full, or a process died; the work that was done is kept.
    """
    _require_columns(source.columns)
    streams = _streams(options, source)
    work = into / f"{unfinished.PREFIX}{_key(options, source)}"
    try:
        with Unfinished(work, source.columns, len(streams)) as made:
            if not made.record.done:
                _Making(options, source, streams, made, say).run(processes or cores())
            record = made.record
            made.move(into)
        manifest = _manifest(options, source, record, into)
        unfinished.sweep(into)
    except BadInputError:
        shutil.rmtree(work, ignore_errors=True)
        raise
    except OSError as error:
        raise FaceganError(
            f'"{error.filename or into}": {error.strerror or error}', hint="what was done is kept; repeat the command"
        ) from error
    return manifest


def _require_columns(columns: Sequence[str]) -> None:
    """Refuse now what `prepared.install` would refuse when all is made."""
    if fault := fault_of(columns):
        raise BadInputError(fault, hint="change that in the list that the columns come from, and repeat the command")


def _manifest(options: Options, source: Source, record: Record, into: Path) -> Manifest:
    """Read what was made, and describe it."""
    assert record.shape is not None
    height, width, channels = record.shape
    digest, parts, table = describe(into / IMAGES, into / ATTRIBUTES)
    return Manifest(
        name=options.name,
        digest=digest,
        count=record.rows,
        height=height,
        width=width,
        channels=channels,
        columns=source.columns,
        size=options.size,
        crop=options.crop,
        domains=options.domains,
        limit=options.limit,
        skipped=_all_reasons(source.skipped, record.tally.reasons),
        left_over=len(source.items) - record.rows - record.tally.skipped,
        source=options.origin,
        code=facegan.__version__,
        images=parts,
        attributes=table,
    )


def _all_reasons(*counts: Mapping[str, int]) -> dict[str, int]:
    summed: dict[str, int] = {}
    for reason, times in itertools.chain.from_iterable(reasons.items() for reasons in counts):
        skipping.count(summed, reason, times)
    return dict(sorted(summed.items()))


def _streams(options: Options, source: Source) -> list[list[Item]]:
    """Return the items that are to take turns: all of them, or those without the attribute and those with it."""
    if options.domains is None:
        return [list(source.items)]
    if options.domains not in source.columns:
        raise unknown("column", options.domains, source.columns)
    column = source.columns.index(options.domains)
    sides: list[list[Item]] = [[], []]
    for item in source.items:
        sides[item.values[column] != 0].append(item)
    return sides


def most(options: Options, source: Source) -> int:
    """How many images there will be if all pictures are good."""
    return _most(options, _streams(options, source))


def _most(options: Options, streams: Sequence[Sequence[Item]]) -> int:
    turns = min(map(len, streams))
    return len(streams) * (turns if options.limit is None else min(turns, options.limit // len(streams)))


def _key(options: Options, source: Source) -> str:
    """Return a name for what decides the bytes that are made."""
    versions = [facegan.__version__, PIL.__version__]
    settings = {**asdict(options), "origin": None}
    whole = hashlib.sha256(json.dumps([versions, settings, source.columns]).encode())
    for item in source.items:
        whole.update(f"\n{item.name}\t{item.values}\t{item.at}".encode())
    return whole.hexdigest()[:16]


@dataclass(slots=True)
class _Making:
    """The work that is not done yet, from where its record stands."""

    options: Options
    source: Source
    streams: Sequence[Sequence[Item]]
    made: Unfinished
    say: Say
    tally: Tally = field(init=False)
    looked: list[int] = field(init=False)
    shape: tuple[int, int, int] | None = field(init=False)

    def __post_init__(self) -> None:
        record = self.made.record
        self.tally, self.looked, self.shape = record.tally, list(record.looked), record.shape

    def run(self, processes: int) -> None:
        """Make what is missing, and say that it is all there."""
        source = self.source.unpacked(self.made.folder) if isinstance(self.source, Packed) else self.source
        rendering = Rendering(crop=self.options.crop, size=self.options.size)
        with readers(source, rendering, processes, self.made.folder) as started:
            rows = self._fill(started)
        self.tally.check(self.tally.looked)
        if rows == 0:
            raise self._nothing()
        self.made.finish(self._record(rows))

    def _fill(self, started: Readers) -> int:
        """Append image after image, and now and then make them count; returns how many there are at the end.

        Those since the last commit do not count yet: `finish` makes them, and the tally of what came after them.
        """
        rows = self.made.record.rows
        turns = zip(*(self._good(started, number) for number in range(len(self.streams))), strict=False)
        missing = None if self._wanted is None else self._wanted - rows // len(self.streams)
        pace, committed = _Pace(self.options.name, self._most, self.say), time.monotonic()
        for turn in itertools.islice(turns, missing):
            self.made.append([pixels for _, pixels in turn], [(item.name, *item.values) for item, _ in turn])
            rows += len(turn)
            pace.at(rows, self.tally.skipped)
            if time.monotonic() - committed >= COMMIT_S:
                self.made.commit(self._record(rows))
                committed = time.monotonic()
        return rows

    @property
    def _wanted(self) -> int | None:
        """How many turns there may be."""
        return None if self.options.limit is None else self.options.limit // len(self.streams)

    @property
    def _most(self) -> int:
        """How many images there will be if all pictures are good."""
        return _most(self.options, self.streams)

    def _good(self, started: Readers, stream: int) -> Iterator[Good]:
        """Go on with a stream; counts what it looks at, so only take what is used."""
        of = sum(map(len, self.streams))
        rest = itertools.islice(self.streams[stream], self.looked[stream], None)
        for item, outcome in started.outcomes(rest):
            self.looked[stream] += 1
            self.tally.looked += 1
            reason = outcome if isinstance(outcome, str) else self._other_size(outcome)
            if reason is None and not isinstance(outcome, str):
                yield item, outcome
            elif reason is not None:
                self.tally.skip(item.name, reason)
                self.tally.check(of)  # of all there are: it can get no better

    def _other_size(self, pixels: Pixels) -> str | None:
        height, width, channels = pixels.shape
        if self.shape is None and height != width:
            raise BadInputError(
                f'images of "{self.options.name}" would be {height}x{width}, and networks take square ones',
                hint="add --size 64, for example; --crop center keeps the proportions",
            )
        self.shape = self.shape or (height, width, channels)
        return None if pixels.shape == self.shape else skipping.OTHER_SIZE

    def _record(self, rows: int) -> Record:
        """What is right when everything that was appended counts."""
        record = self.made.record
        return replace(record, rows=rows, shape=self.shape, looked=tuple(self.looked), tally=self.tally)

    def _nothing(self) -> BadInputError:
        """What to say where no image was made."""
        why = [skipping.listed(_all_reasons(self.source.skipped, self.tally.reasons))]
        hint = "give another folder or archive with --source"
        if self.options.domains is not None:
            without, having = map(len, self.streams)
            why.insert(0, f'{having:,} with "{self.options.domains}" and {without:,} without')
            if not (without and having):
                hint = "--domains takes a column that some pictures have and others have not; leave it out to take all"
        if self.tally.names:
            why.append(f"the first are {', '.join(self.tally.names)}")
        told = "; ".join(filter(None, why)) or "there are none"
        return BadInputError(f'no picture for "{self.options.name}" can be used: {told}', hint=hint)


class _Pace:
    """Says how fast it goes, a few times a second: from the first images on, since the readers take time to start."""

    def __init__(self, name: str, of: int, say: Say) -> None:
        self._name, self._of, self._say = name, of, say
        self._first: tuple[int, float] | None = None
        self._said = -math.inf

    def at(self, rows: int, skipped: int) -> None:
        now = time.monotonic()
        if now - self._said < SAY_S and rows < self._of:
            return
        self._said = now
        out = f", {skipped:,} skipped" if skipped else ""
        self._say(f"preparing {self._name}: {rows:,} of {self._of:,} images{out}{self._speed(rows, now)}")

    def _speed(self, rows: int, now: float) -> str:
        if self._first is None:
            self._first = rows, now
            return ""
        before, began = self._first
        rate = max(1e-9, (rows - before) / max(1e-9, now - began))
        return f", {rate:,.0f} images/s" + (f", {(self._of - rows) / rate:,.0f} s to go" if rows < self._of else "")
