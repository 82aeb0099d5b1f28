"""CelebA (Liu et al., 2015): 202,599 faces and 40 attributes of each, in every layout in which people have it.

- The official one: `img_align_celeba.zip` (or its folder), `list_attr_celeba.txt`, `list_eval_partition.txt`, beside
  each other or in `Img`, `Anno` and `Eval`.
- Kaggle's, old and new: `img_align_celeba/img_align_celeba/*.jpg` (or one folder less) and the lists as `.csv`.
- Either of them inside one zip or tar archive, or its parts beside each other.

The pictures come in the order of their names. The columns are the attributes as 0 and 1 and, where the list of
partitions is there, `partition` (0 training, 1 validation, 2 test). Lists may end their lines in CR LF or LF.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from facegan.data import skipping
from facegan.data.archive import Entry, Folder, Listing, open_archive
from facegan.data.pictures import Pictures, is_hidden
from facegan.data.skipping import Skip, count, listed
from facegan.data.source import Item
from facegan.data.together import archives_in
from facegan.errors import BadInputError

ATTRIBUTES = ("list_attr_celeba.txt", "list_attr_celeba.csv")
PARTITIONS = ("list_eval_partition.txt", "list_eval_partition.csv")
WORDS = ("celeba",)  # in the names of its archives
SUFFIXES = (".jpg", ".png")
COUNT = re.compile("[0-9]{1,9}")  # of rows, the first line of the official list
SHOWN = 60  # characters of a line that is not what it should be
SIGNS = {"-1": 0, "0": 0, "1": 1}
PARTS = {"0": 0, "1": 1, "2": 2}

Values: TypeAlias = tuple[int, ...] | None  # of one picture; `None`: its row cannot be read


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """One list.

    Attributes:
        columns: What it says of each picture.
        rows: That, by the picture's name without the ending (`000001`).
        called: The list itself, in an error.

    """

    columns: tuple[str, ...]
    rows: Mapping[str, Values]
    called: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What may be listed.

    Attributes:
        what: Its name.
        names: Of the files that list it.
        read: From their lines, without empty ones. Raises `ValueError` for what is wrong with them.
        hint: What to do with a list that cannot be used.

    """

    what: str
    names: tuple[str, ...]
    read: Callable[[list[str]], _Table]
    hint: str


def open_source(path: Path) -> Pictures:
    """Open CelebA in a folder, in an archive, or in parts beside each other in one folder.

    Left out and counted: pictures without a row, rows without a picture, rows that cannot be read, and a picture
    whose name another one had before.

    Raises:
        BadInputError: there are no pictures, no list of attributes, none of them belong together, or one of the lists
            cannot be used: the partitions neither, when too many pictures would be lost for want of one.
    """
    listings = _listings(path)
    pictures = max(listings, key=_pictures_in)
    if not _pictures_in(pictures):
        raise BadInputError(
            f'no pictures in "{path}": looked for {" and ".join(SUFFIXES)}, in it and in its archives',
            hint="--source names the folder, or the archive, that CelebA was downloaded to",
        )
    attributes = _table(listings, _ATTRIBUTES)
    if attributes is None:
        raise BadInputError(
            f'no attributes for the pictures in "{path}": looked for {" and ".join(ATTRIBUTES)}',
            hint="put it beside the pictures; or prepare them as pictures of your own, under another name",
        )
    return _joined(path, pictures, attributes, _table(listings, _PARTITIONS))


def _listings(path: Path) -> list[Listing]:
    """Return everything that may belong together: what the path names, the archives in it, the lists beside it."""
    here = open_archive(path)
    archives = [] if _pictures_in(here) else archives_in(here, WORDS, others=True)
    return [here, *archives, _lists_of(path.parent)]


def _lists_of(folder: Path) -> Listing:
    """Return the lists in a folder, and nothing else of it: it may hold a whole disk."""
    names = [name for name in (*ATTRIBUTES, *PARTITIONS) if (folder / name).is_file()]
    found = [entry for entry in map(Folder(folder).entry, names) if isinstance(entry, Entry)]
    return Listing(archive=Folder(folder), entries=tuple(found), skipped={})


def _joined(path: Path, pictures: Listing, attributes: _Table, partitions: _Table | None) -> Pictures:
    """Put pictures and rows together, by name."""
    tables = (attributes,) if partitions is None else (attributes, partitions)
    skipped = dict(pictures.skipped)
    count(skipped, skipping.HIDDEN, sum(_is_picture_file(entry) for entry in pictures.entries) - _pictures_in(pictures))
    items: list[Item] = []
    seen: set[str] = set()
    for entry in sorted(filter(_is_picture, pictures.entries), key=lambda entry: (entry.base, entry.name)):
        stem = _stem(entry.base)
        values = _known(stem, tables) if stem not in seen else skipping.TWICE
        if isinstance(values, str):
            count(skipped, values)
        else:
            items.append(Item(name=entry.base, values=values, at=entry.at))
        seen.add(stem)
    if partitions is not None:
        _require_partitions(partitions, [stem for stem in seen if attributes.rows.get(stem) is not None])
    unread = {stem for table in tables for stem, values in table.rows.items() if values is None} - seen
    count(skipped, skipping.BROKEN_ROW, len(unread))
    count(skipped, skipping.NO_IMAGE, len(attributes.rows.keys() - seen - unread))
    if not items:
        raise BadInputError(
            f'no picture in "{path}" belongs to a row of {attributes.called}: {listed(skipped)}',
            hint="put the list of these very pictures beside them; its rows begin with their names, like 000001.jpg",
        )
    columns = tuple(column for table in tables for column in table.columns)
    return Pictures(archive=pictures.archive, columns=columns, items=tuple(items), skipped=skipped)


def _require_partitions(partitions: _Table, stems: Sequence[str]) -> None:
    """Refuse a list of partitions that lacks too many of the pictures that have attributes."""
    lost = sum(partitions.rows.get(stem) is None for stem in stems)
    if lost and (lost == len(stems) or skipping.is_too_much(lost, len(stems))):
        raise BadInputError(
            f"{partitions.called} has no row for {lost:,} of {len(stems):,} pictures, or none that can be read",
            hint=_PARTITIONS.hint,
        )


def _known(stem: str, tables: Iterable[_Table]) -> tuple[int, ...] | str:
    """Return what the lists say of a picture, or why that is not enough."""
    known: tuple[int, ...] = ()
    for table in tables:
        if stem not in table.rows:
            return skipping.NO_ROW
        values = table.rows[stem]
        if values is None:
            return skipping.BROKEN_ROW
        known += values
    return known


def _pictures_in(listing: Listing) -> int:
    return sum(map(_is_picture, listing.entries))


def _is_picture(entry: Entry) -> bool:
    return _is_picture_file(entry) and not is_hidden(entry.name)


def _is_picture_file(entry: Entry) -> bool:
    return entry.base.lower().endswith(SUFFIXES)


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _table(listings: Iterable[Listing], kind: _Kind) -> _Table | None:
    """Read the list of a kind that is nearest: the first place that has one, and there the least deep."""
    for listing in listings:
        found = [entry for entry in listing.entries if entry.base in kind.names and not is_hidden(entry.name)]
        if not found:
            continue
        entry = min(found, key=lambda entry: (entry.name.count("/"), entry.name))
        called = f'"{entry.name}" in "{listing.archive.path}"'
        try:
            return replace(kind.read(_lines(listing.archive.read(entry.at))), called=called)
        except Skip as skip:
            raise BadInputError(f"{called} is no list of {kind.what}: {skip.reason}", hint=kind.hint) from skip
        except ValueError as error:
            raise BadInputError(f"{called} is {error}", hint=kind.hint) from error
    return None


def _lines(content: bytes) -> list[str]:
    lines = [line.strip() for line in content.decode("utf-8-sig", errors="replace").splitlines()]
    return [line for line in lines if line]


def _attributes(lines: list[str]) -> _Table:
    """Read the list of attributes: Kaggle's, with commas; or the official one, which its number of rows precedes."""
    said = int(lines.pop(0)) if lines and COUNT.fullmatch(lines[0]) else 0
    head, *rows = lines or [""]
    if len(rows) < said:
        raise ValueError(f"cut short: {len(rows):,} of the {said:,} rows that its first line says")
    columns = tuple(_cells(head))[1:] if "," in head else tuple(head.split())
    are_names = len(set(columns)) == len(columns) and all(name not in SIGNS and _stem(name) == name for name in columns)
    read = _rows(rows, len(columns), SIGNS) if are_names else {}
    _require_rows(read, "attributes", head)
    return _Table(columns=columns, rows=read)


def _partitions(lines: list[str]) -> _Table:
    """Read the list of partitions: Kaggle's, which has a head, or the official one, which has none."""
    rows = lines[1:] if lines and _cells(lines[0])[1:] == ["partition"] else lines
    read = _rows(rows, 1, PARTS)
    _require_rows(read, "partitions", (lines or [""])[0])
    return _Table(columns=("partition",), rows=read)


def _rows(lines: Iterable[str], values: int, known: Mapping[str, int]) -> dict[str, Values]:
    """Read rows of a name and so many values, each one of the known ones."""
    rows: dict[str, Values] = {}
    for name, *cells in map(_cells, lines):
        numbers = tuple(known[cell] for cell in cells if cell in known)
        rows[_stem(name)] = numbers if len(numbers) == len(cells) == values else None
    return rows


def _require_rows(rows: Mapping[str, Values], what: str, first: str) -> None:
    if not any(rows.values()):  # not even one that can be read: each has a value
        shown = "".join(letter if letter.isprintable() else "?" for letter in first[:SHOWN])
        raise ValueError(f"no list of {what}: it " + (f'begins with "{shown}"' if first else "is empty"))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split(",")] if "," in line else line.split()


_ATTRIBUTES = _Kind(what="attributes", names=ATTRIBUTES, read=_attributes, hint="fetch it again")
_PARTITIONS = _Kind(
    what="partitions",
    names=PARTITIONS,
    read=_partitions,
    hint="fetch it again; or take it away, as nothing but the column partition comes from it",
)
