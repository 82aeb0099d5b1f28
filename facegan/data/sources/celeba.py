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
from facegan.data.archive import Entry, Folder, Listing, is_hidden, open_archive
from facegan.data.pictures import Pictures
from facegan.data.skipping import Skip, count, listed
from facegan.data.source import Item
from facegan.data.together import archives_in
from facegan.errors import BadInputError, printable

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
        read: From their lines, without empty ones. Raises `ValueError` for what is wrong with them, as a verb of it.
        hint: What to do with a list that cannot be used.

    """

    what: str
    names: tuple[str, ...]
    read: Callable[[list[str]], _Table]
    hint: str


def open_source(path: Path) -> Pictures:
    """Open CelebA in a folder, in an archive, or in parts beside each other in one folder.

    Left out and counted: pictures without a row, rows without a picture, rows that cannot be read, and a picture
    whose name another one had before. Rows of one picture are one row where they agree, and else one that cannot be
    read: neither is known to be the right one.

    Raises:
        BadInputError: there are no pictures, no list of attributes, none of them belong together, or one of the lists
            cannot be used: the partitions neither, when too many pictures would be lost for want of one. Or there are
            two lists of one kind, equally near, that differ.
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
    """Read the list of a kind that is nearest: the first place that has one, and there the least deep.

    Of several that say the same (Kaggle's and the official one) it is the first by name.
    """
    for listing in listings:
        found = [entry for entry in listing.entries if entry.base in kind.names and not is_hidden(entry.name)]
        least = min((entry.name.count("/") for entry in found), default=0)
        nearest = sorted((entry for entry in found if entry.name.count("/") == least), key=lambda entry: entry.name)
        if not nearest:
            continue
        table = _read(listing, nearest[0], kind)
        for entry in nearest[1:]:
            other = _read(listing, entry, kind)
            if (other.columns, other.rows) != (table.columns, table.rows):
                raise BadInputError(
                    f"{table.called} and {other.called} do not say the same", hint="take away the one that is wrong"
                )
        return table
    return None


def _read(listing: Listing, entry: Entry, kind: _Kind) -> _Table:
    called = f'"{entry.name}" in "{listing.archive.path}"'
    try:
        return replace(kind.read(_lines(listing.archive.read(entry.at))), called=called)
    except Skip as skip:
        raise BadInputError(f"{called} is no list of {kind.what}: {skip.reason}", hint=kind.hint) from skip
    except ValueError as error:
        raise BadInputError(f"{called} {error}", hint=kind.hint) from error


def _lines(content: bytes) -> list[str]:
    lines = [line.strip() for line in content.decode("utf-8-sig", errors="replace").splitlines()]
    return [line for line in lines if line]


def _attributes(lines: list[str]) -> _Table:
    """Read the list of attributes: Kaggle's, with commas; or the official one, which its number of rows precedes."""
    said = int(lines.pop(0)) if lines and COUNT.fullmatch(lines[0]) else 0
    head, *rows = lines or [""]
    if len(rows) < said:
        raise ValueError(f"is cut short: {len(rows):,} of the {said:,} rows that its first line says")
    columns = tuple(_cells(head))[1:] if "," in head else tuple(head.split())
    are_names = len(set(columns)) == len(columns) and all(name not in SIGNS and _stem(name) == name for name in columns)
    if not (are_names and rows):
        raise _no_list("attributes", head)
    return _Table(columns=columns, rows=_rows(rows, columns, SIGNS, head))


def _partitions(lines: list[str]) -> _Table:
    """Read the list of partitions: Kaggle's, which has a head, or the official one, which has none."""
    head = lines[0] if lines else ""
    rows = lines[1:] if _cells(head)[1:] == ["partition"] else lines
    if not rows:
        raise _no_list("partitions", head)
    return _Table(columns=("partition",), rows=_rows(rows, ("partition",), PARTS, head))


def _rows(lines: Sequence[str], columns: Sequence[str], known: Mapping[str, int], head: str) -> dict[str, Values]:
    """Read rows of a name and a value for each column, each one of the known ones.

    Raises:
        ValueError: none of them can be read; says why not the first, and how the list begins.
    """
    rows: dict[str, Values] = {}
    for name, *cells in map(_cells, lines):
        numbers = tuple(known[cell] for cell in cells if cell in known)
        values = numbers if len(numbers) == len(cells) == len(columns) else None
        stem = _stem(name)
        rows[stem] = values if rows.get(stem, values) == values else None
    if not any(rows.values()):  # each that can be read has a value
        why = _fault(_cells(lines[0])[1:], len(columns), known)
        raise ValueError(f"begins with {_shown(head)}, and has no row that can be read: {_shown(lines[0])} {why}")
    return rows


def _fault(cells: Sequence[str], columns: int, known: Mapping[str, int]) -> str:
    """Say why a row cannot be read."""
    if len(cells) != columns:
        return f"has the wrong number of values, {len(cells):,} for {columns:,} columns"
    strange = next((cell for cell in cells if cell not in known), None)
    if strange is None:
        return "is not the only one of its name, and another says otherwise"
    return f"has {_shown(strange)}, which is none of {', '.join(known)}"


def _no_list(what: str, first: str) -> ValueError:
    return ValueError(f"is no list of {what}: it " + (f"begins with {_shown(first)}" if first else "is empty"))


def _shown(text: str) -> str:
    return f'"{printable(text[:SHOWN])}"'


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split(",")] if "," in line else line.split()


_ATTRIBUTES = _Kind(what="attributes", names=ATTRIBUTES, read=_attributes, hint="fetch it again")
_PARTITIONS = _Kind(
    what="partitions",
    names=PARTITIONS,
    read=_partitions,
    hint="fetch it again; or take it away, as nothing but the column partition comes from it",
)
