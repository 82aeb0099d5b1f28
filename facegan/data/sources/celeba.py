"""CelebA (Liu et al., 2015): 202,599 faces and 40 attributes of each, in every layout in which people have it.

- The official one: `img_align_celeba.zip` (or its folder), `list_attr_celeba.txt`, `list_eval_partition.txt`, beside
  each other or in `Img`, `Anno` and `Eval`.
- Kaggle's, old and new: `img_align_celeba/img_align_celeba/*.jpg` (or one folder less) and the lists as `.csv`.
- Either of them inside one zip or tar archive, or its parts beside each other.

The pictures come in the order of their names. The columns are the attributes as 0 and 1 and, where the list of
partitions is there, `partition` (0 training, 1 validation, 2 test). Lists may end their lines in CR LF or LF.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
SIGNS = {"-1": 0, "0": 0, "1": 1}
PARTS = {"0": 0, "1": 1, "2": 2}

Values: TypeAlias = tuple[int, ...] | None  # of one picture; `None`: its row cannot be read


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """One list: what is known of each picture, by its name without the ending (`000001`)."""

    columns: tuple[str, ...]
    rows: Mapping[str, Values]


def open_source(path: Path) -> Pictures:
    """Open CelebA in a folder, in an archive, or in parts beside each other in one folder.

    Left out and counted: pictures without a row, rows without a picture, rows that cannot be read, and a picture
    whose name another one had before.

    Raises:
        BadInputError: there are no pictures, no list of attributes, or none of them belong together.
    """
    listings = _listings(path)
    pictures = max(listings, key=_pictures_in)
    if not _pictures_in(pictures):
        raise BadInputError(
            f'no pictures in "{path}": looked for {" and ".join(SUFFIXES)}, in it and in its archives',
            hint="--source names the folder, or the archive, that CelebA was downloaded to",
        )
    attributes = _table(listings, ATTRIBUTES, _attributes)
    if attributes is None:
        raise BadInputError(
            f'no attributes for the pictures in "{path}": looked for {" and ".join(ATTRIBUTES)}',
            hint="put it beside the pictures; or prepare them as pictures of your own, under another name",
        )
    return _joined(path, pictures, attributes, _table(listings, PARTITIONS, _partitions))


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
    unread = {stem for table in tables for stem, values in table.rows.items() if values is None} - seen
    count(skipped, skipping.BROKEN_ROW, len(unread))
    count(skipped, skipping.NO_IMAGE, len(attributes.rows.keys() - seen - unread))
    if not items:
        raise BadInputError(f'no picture in "{path}" belongs to a row of the attributes: {listed(skipped)}')
    columns = tuple(column for table in tables for column in table.columns)
    return Pictures(archive=pictures.archive, columns=columns, items=tuple(items), skipped=skipped)


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


def _table(listings: Iterable[Listing], names: Sequence[str], parse: Callable[[list[str]], _Table]) -> _Table | None:
    """Read the list of these names that is nearest: the first place that has one, and there the least deep."""
    for listing in listings:
        found = [entry for entry in listing.entries if entry.base in names and not is_hidden(entry.name)]
        if not found:
            continue
        entry = min(found, key=lambda entry: (entry.name.count("/"), entry.name))
        try:
            text = listing.archive.read(entry.at).decode("utf-8-sig", errors="replace")
        except Skip as skip:
            raise BadInputError(f'"{entry.name}" in "{listing.archive.path}" is no list: {skip.reason}') from skip
        lines = [line.strip() for line in text.splitlines()]
        return parse([line for line in lines if line])
    return None


def _attributes(lines: list[str]) -> _Table:
    """Read the list of attributes: Kaggle's, with commas; or the official one, which its number of rows precedes."""
    if lines and lines[0].isdigit():
        del lines[0]
    head, *rows = lines or [""]
    columns = tuple(_cells(head))[1:] if "," in head else tuple(head.split())
    if len(set(columns)) != len(columns) or any(column in SIGNS or _stem(column) != column for column in columns):
        raise BadInputError(f'the list of attributes does not begin with their names, but with "{head[:60]}"')
    return _Table(columns=columns, rows=_rows(rows, len(columns), SIGNS))


def _partitions(lines: list[str]) -> _Table:
    """Read the list of partitions: Kaggle's, which has a head, or the official one, which has none."""
    rows = lines[1:] if lines and _cells(lines[0])[1:] == ["partition"] else lines
    return _Table(columns=("partition",), rows=_rows(rows, 1, PARTS))


def _rows(lines: Iterable[str], values: int, known: Mapping[str, int]) -> dict[str, Values]:
    """Read rows of a name and so many values, each one of the known ones."""
    rows: dict[str, Values] = {}
    for name, *cells in map(_cells, lines):
        numbers = tuple(known[cell] for cell in cells if cell in known)
        rows[_stem(name)] = numbers if len(numbers) == len(cells) == values else None
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split(",")] if "," in line else line.split()
