"""Pictures of one's own: a folder, zip or tar of files, however deep.

They come sorted by name. Where all of them are in subfolders, there is a column `label`: the number of a picture's
subfolder among them all, sorted by name, as torchvision's `ImageFolder` counts. Folders that hold everything (the one
that an archive often begins with) are passed by, and deeper ones belong to the one above. The column counts up to 255,
so a set with more than 256 subfolders has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facegan.data import skipping
from facegan.data.archive import Entry, open_archive
from facegan.data.pictures import SUFFIXES, Pictures, is_hidden, is_picture
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
            f'no picture in "{path}": looked for {" ".join(sorted(SUFFIXES))}, found {listed(skipped) or "nothing"}'
        )
    labels = _labels([entry.name.split("/") for entry in usable])
    columns = () if labels is None else ("label",)
    values = [()] * len(usable) if labels is None else [(label,) for label in labels]
    items = tuple(Item(name=entry.name, values=known, at=entry.at) for entry, known in zip(usable, values, strict=True))
    return Pictures(archive=listing.archive, columns=columns, items=items, skipped=skipped)


def _left_out(name: str) -> str | None:
    if is_hidden(name):
        return skipping.HIDDEN
    return None if is_picture(name) else skipping.OTHER_FILE


def _labels(paths: Sequence[Sequence[str]]) -> list[int] | None:
    """Return the number of each picture's subfolder; `None` where they are not all in one, or in too many."""
    depth = 0
    while len({path[depth] for path in paths}) == 1 and all(len(path) > depth + 2 for path in paths):
        depth += 1
    if any(len(path) == depth + 1 for path in paths):
        return None
    names = sorted({path[depth] for path in paths})
    if not 1 < len(names) <= MOST_LABELS:
        return None
    numbers = {name: number for number, name in enumerate(names)}
    return [numbers[path[depth]] for path in paths]
