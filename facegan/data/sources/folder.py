"""Pictures of one's own: a folder, zip or tar of files, however deep.

They come sorted by name. Where all of them are in subfolders, there is a column `label`: the number of a picture's
subfolder among them all, sorted by name, as torchvision's `ImageFolder` counts. Folders that hold everything (the one
that an archive often begins with) are passed by, and deeper ones belong to the one above. The column counts up to 255,
so a set with more than 256 subfolders has none. A file without an ending may be a picture or not: one that lies above
all that have one (a `LICENSE`) decides nothing, and is left out where it is in no subfolder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from facegan.data import skipping
from facegan.data.archive import Entry, is_hidden, open_archive
from facegan.data.pictures import SUFFIXES, Pictures, has_ending, is_picture
from facegan.data.skipping import count, listed
from facegan.data.source import Item
from facegan.errors import BadInputError

MOST_LABELS = 256


def open_source(path: Path) -> Pictures:
    """List the pictures of a folder or archive.

    What is not named like a picture (another ending, a hidden file) is left out and counted; whether the others
    are pictures shows when they are decoded.

    Raises:
        BadInputError: there is none, or `path` is neither a folder nor an archive.
    """
    listing = open_archive(path)
    skipped = dict(listing.skipped)
    usable: list[Entry] = []
    for entry in sorted(listing.entries, key=lambda entry: entry.name):
        reason = _left_out(entry.name)
        if reason is None:
            usable.append(entry)
        else:
            count(skipped, reason)
    if not usable:
        raise BadInputError(
            f'no picture in "{path}": looked for {" ".join(sorted(SUFFIXES))}, found {listed(skipped) or "nothing"}',
            hint="--source takes a folder of pictures, or a .zip, .tar or .tar.gz of them",
        )
    columns, values = _known([entry.name for entry in usable])
    count(skipped, skipping.OTHER_FILE, len(usable) - len(values))
    items = tuple(
        Item(name=entry.name, values=values[entry.name], at=entry.at) for entry in usable if entry.name in values
    )
    return Pictures(archive=listing.archive, columns=columns, items=items, skipped=skipped)


def _left_out(name: str) -> str | None:
    if is_hidden(name):
        return skipping.HIDDEN
    return None if is_picture(name) else skipping.OTHER_FILE


def _known(names: Sequence[str]) -> tuple[tuple[str, ...], Mapping[str, tuple[int, ...]]]:
    """Return the columns, and their values of each file that is to be used."""
    paths = {name: name.split("/") for name in names}
    depth = min((len(paths[name]) for name in filter(has_ending, names)), default=0)
    kinds = _kinds([path for path in paths.values() if len(path) >= depth])
    if kinds is None:
        return (), dict.fromkeys(names, ())
    top, numbers = kinds
    within = {
        name: path[len(top)] for name, path in paths.items() if path[: len(top)] == top and len(path) > len(top) + 1
    }
    return ("label",), {name: (numbers[kind],) for name, kind in within.items() if kind in numbers}


def _kinds(paths: Sequence[list[str]]) -> tuple[list[str], Mapping[str, int]] | None:
    """Return the folders above the subfolders of the pictures, and the number of each of these.

    `None`: not all are in one, or there are too many, or only one.
    """
    depth = 0
    while len({path[depth] for path in paths}) == 1 and all(len(path) > depth + 2 for path in paths):
        depth += 1
    if any(len(path) == depth + 1 for path in paths):
        return None
    names = sorted({path[depth] for path in paths})
    if not 1 < len(names) <= MOST_LABELS:
        return None
    return paths[0][:depth], {name: number for number, name in enumerate(names)}
