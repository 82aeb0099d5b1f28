"""What a prepared data set says of itself. It may come from anybody, so all of it is checked before it is used."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from facegan import layout
from facegan.errors import BadInputError, DamagedError, printable
from facegan.experiment import Json

SCHEMA = 1
PART_BYTES = 32 * 2**20
HEADER_BYTES = 128
LARGEST_MANIFEST = 16 * 2**20
LARGEST_TABLE = 256 * 2**20
MOST_IMAGES = 10**8
MOST_PIXELS = 2**14  # of a side
MOST_COLUMNS = 1_000
LONGEST_TEXT = 1_000
LONGEST_COLUMN = 100
CHANNELS = (1, 3)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COLUMN = re.compile(rf"[^\s,\"'=][^,\"'=\r\n]{{0,{LONGEST_COLUMN - 1}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: which file or object, and how."""

    object: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A range of bytes: how many, and their SHA-256."""

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Piece:
        return cls(size=len(data), sha256=hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One prepared array: what it is, what it was made of, and how each byte of it is checked.

    Attributes:
        name: The name it was prepared under.
        digest: SHA-256 of images.npy followed by attributes.csv.
        count: Images; each `height` x `width` x `channels`, uint8; channels are 1 (grey) or 3 (RGB).
        columns: What is known of each image, apart from its name: the columns of attributes.csv.
        size: What was asked for with `--size`; `None`: as the source had it.
        crop: What was cut out of each picture, as in `facegan.experiment.Data.crop`.
        domains: The column by which as many images were taken with it as without it, if any.
        limit: The most images that were asked for, if that was limited.
        skipped: Why pictures of the source are not in the array -> how many.
        left_over: Pictures that were not taken for `domains` or `limit`; most were not looked at. `None`: not counted,
            by an earlier version.
        source: What it was made of, in words, without a path of the machine that made it.
        code: The version that made it.
        images: The parts of images.npy, each of 32 MiB but the last.
        attributes: attributes.csv.

    """

    name: str
    digest: str
    count: int
    height: int
    width: int
    channels: int
    columns: tuple[str, ...] = ()
    size: int | None = None
    crop: str = "none"
    domains: str | None = None
    limit: int | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)
    left_over: int | None = None
    source: str = ""
    code: str = ""
    images: tuple[Piece, ...]
    attributes: Piece

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        return self.height, self.width, self.channels

    @property
    def part(self) -> str:
        """Which part of its set it is: "domains Smiling, limit 40"; empty where nothing of it was left over."""
        if self.left_over == 0:
            return ""
        domains = [f"domains {self.domains}"] if self.domains else []
        return ", ".join([*domains, *([f"limit {self.limit:,}"] if self.limit else [])])

    @property
    def is_fair(self) -> bool:
        """Whether it is a fair share of its set: not as many images with an attribute as without, others left over."""
        return self.domains is None or self.left_over == 0

    @property
    def size_bytes(self) -> int:
        """Of the array and the table together."""
        return sum(piece.size for piece in self.images) + self.attributes.size

    def to_json(self) -> Json:
        return {"schema": SCHEMA, **dataclasses.asdict(self), "columns": list(self.columns)}

    def to_bytes(self) -> bytes:
        return (json.dumps(self.to_json(), indent=1, sort_keys=True) + "\n").encode()


def header(count: int, height: int, width: int, channels: int) -> bytes:
    """The first 128 bytes of `images.npy`: NumPy's format 1.0, of uint8 (count, height, width, channels), C order."""
    said = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({count}, {height}, {width}, {channels}), }}"
    start = b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little")
    return start + said.encode().ljust(HEADER_BYTES - len(start) - 1) + b"\n"


def fault_of(columns: Sequence[str]) -> str | None:
    """Say what is wrong with the columns of a table, so that no manifest may name them; `None`: nothing."""
    if len(columns) > MOST_COLUMNS:
        return f"{len(columns):,} columns are more than {MOST_COLUMNS:,}"
    for column in columns:
        if not column.isprintable() or not _COLUMN.fullmatch(column):
            shown = printable(column[:LONGEST_COLUMN])
            return (
                f'no column may be called "{shown}": its name is 1 to {LONGEST_COLUMN} characters that can be printed, '
                "none of them a comma, a quote or =, the first no space"
            )
    twice = next((column for column, times in Counter(("name", *columns)).items() if times > 1), None)
    return None if twice is None else f'no second column may be called "{twice}"; "name" is always the first'


def from_bytes(data: bytes, *, called: str, name: str, digest: str) -> Manifest:
    """Read the manifest of the data set that `name` and `digest` promise. `called` is where it lies, for the error.

    Nothing of it is believed: after this, its sizes add up to the array it describes, and its texts hold
    neither a path nor a control character.

    Raises:
        DamagedError: it is no manifest, or not of that data set.
    """
    try:
        manifest = _built(data)
        _require_address(manifest, name, digest)
    except _Wrong as error:
        raise DamagedError(f'"{called}" is no manifest of prepared data: {error}') from error
    return manifest


class _Wrong(Exception):  # noqa: N818 - never leaves this module
    """What is wrong with a manifest."""


def _built(data: bytes) -> Manifest:
    """Every value in its type and range, and the sizes adding up."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _Wrong("it is not JSON") from error
    if not isinstance(tree, dict) or tree.pop("schema", None) != SCHEMA:
        raise _Wrong(f"it is not of schema {SCHEMA}")
    tree.setdefault("left_over", None)  # of an earlier version
    known = {f.name for f in dataclasses.fields(Manifest)}
    if tree.keys() != known:
        raise _Wrong(f"its keys are not {', '.join(sorted(known))}")
    manifest = Manifest(
        name=_name(tree["name"]),
        digest=_sha256(tree["digest"]),
        count=_whole(tree["count"], 1, MOST_IMAGES),
        height=_whole(tree["height"], 1, MOST_PIXELS),
        width=_whole(tree["width"], 1, MOST_PIXELS),
        channels=_whole(tree["channels"], CHANNELS[0], CHANNELS[-1]),
        columns=_columns(tree["columns"]),
        size=_perhaps(tree["size"], MOST_PIXELS),
        crop=_text(tree["crop"]),
        domains=None if tree["domains"] is None else _text(tree["domains"]),
        limit=_perhaps(tree["limit"], MOST_IMAGES),
        skipped=_skipped(tree["skipped"]),
        left_over=None if tree["left_over"] is None else _whole(tree["left_over"], 0, 2**53),
        source=_text(tree["source"]),
        code=_text(tree["code"]),
        images=tuple(_piece(piece, PART_BYTES) for piece in _list(tree["images"])),
        attributes=_piece(tree["attributes"], LARGEST_TABLE),
    )
    _require_sum(manifest)
    return manifest


def _require_address(manifest: Manifest, name: str, digest: str) -> None:
    if (manifest.name, manifest.digest) != (name, digest):
        raise _Wrong(f"it is that of {manifest.name} {manifest.digest[:12]}…")


def _require_sum(manifest: Manifest) -> None:
    """The parts are as large as the array that is described, each of 32 MiB but the last."""
    if manifest.channels not in CHANNELS:
        raise _Wrong(f"images have 1 or 3 channels, not {manifest.channels}")
    wanted = HEADER_BYTES + manifest.count * manifest.height * manifest.width * manifest.channels
    full, rest = divmod(wanted, PART_BYTES)
    sizes = [piece.size for piece in manifest.images]
    if len(sizes) != full + bool(rest) or any(size != PART_BYTES for size in sizes[:full]) or sum(sizes) != wanted:
        raise _Wrong(f"its parts are not the {wanted:,} bytes of the images it describes")


def _whole(value: Any, least: int, most: int) -> int:  # noqa: ANN401 - JSON
    if type(value) is not int or not least <= value <= most:
        raise _Wrong(f'"{str(value)[:40]}" is no whole number from {least} to {most}')
    return value


def _perhaps(value: Any, most: int) -> int | None:  # noqa: ANN401 - JSON
    return None if value is None else _whole(value, 1, most)


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not value.isprintable():
        raise _Wrong(f'"{str(value)[:40]!a}" is no line of text')
    return value


def _sha256(value: Any) -> str:  # noqa: ANN401 - JSON
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise _Wrong(f'"{str(value)[:80]!a}" is no SHA-256')
    return value


def _name(value: Any) -> str:  # noqa: ANN401 - JSON
    try:
        return layout.check_dataset(_text(value))
    except BadInputError as error:
        raise _Wrong(error.message) from error


def _list(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    if not isinstance(value, list):
        raise _Wrong("a list is none")
    return value


def _columns(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - JSON
    columns = tuple(_text(column) for column in _list(value))
    if fault := fault_of(columns):
        raise _Wrong(fault)
    return columns


def _skipped(value: Any) -> Mapping[str, int]:  # noqa: ANN401 - JSON
    if not isinstance(value, dict) or len(value) > MOST_COLUMNS:
        raise _Wrong("what was skipped is no table of reasons")
    return {_text(reason): _whole(number, 0, 2**53) for reason, number in value.items()}


def _piece(value: Any, largest: int) -> Piece:  # noqa: ANN401 - JSON
    if not isinstance(value, dict) or value.keys() != {"size", "sha256"}:
        raise _Wrong("a part has not just a size and a SHA-256")
    return Piece(size=_whole(value["size"], 1, largest), sha256=_sha256(value["sha256"]))
