"""Several archives as one: what a person downloaded into one folder, in pieces, and did not unpack."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from facegan.data.archive import Archive, Entry, Listing, is_hidden, open_archive

PACKED = (".zip", ".tar", ".tar.gz", ".tgz")


def archives_in(here: Listing, called: Collection[str], *, others: bool) -> list[Listing]:
    """Open the archives in a folder.

    Args:
        here: What `open_archive` found; where that is an archive itself, there are none in it to be opened.
        called: Words in lower-case letters, one of which is in the name of each that is wanted.
        others: Whether all are, where no name has such a word.

    Raises:
        BadInputError: one of them is damaged.
    """
    folder = here.archive.path
    if not folder.is_dir():
        return []
    packed = [entry for entry in here.entries if _is_packed(entry)]
    wanted = [entry for entry in packed if any(word in entry.base.lower() for word in called)]
    return [open_archive(folder / entry.name) for entry in wanted or (packed if others else [])]


def _is_packed(entry: Entry) -> bool:
    return entry.base.lower().endswith(PACKED) and not is_hidden(entry.name)


def joined(archives: Sequence[Archive]) -> Archive:
    """Return one archive; of one it is that one itself, so that a place in it is what it was."""
    return archives[0] if len(archives) == 1 else Together(tuple(archives))


def placed(number: int, at: str, archives: Sequence[Archive]) -> str:
    """Return where a file of the archive of that number is, as `joined` of all of them takes it."""
    return at if len(archives) == 1 else f"{number}|{at}"


@dataclass(frozen=True, slots=True)
class Together:
    """Archives beside each other, of which each place says the number."""

    archives: tuple[Archive, ...]

    @property
    def path(self) -> Path:
        """The first of them."""
        return self.archives[0].path

    def read(self, at: str) -> bytes:
        number, _, place = at.partition("|")
        return self.archives[int(number)].read(place)

    def unpacked(self, folder: Path) -> Together:
        """Return them where each can be read at random, each in a folder of its own."""
        made = []
        for number, archive in enumerate(self.archives):
            own = folder / f"archive-{number}"
            own.mkdir(exist_ok=True)
            made.append(archive.unpacked(own))
        return Together(tuple(made))
