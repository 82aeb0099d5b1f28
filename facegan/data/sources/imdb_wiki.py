"""IMDB-WIKI: faces of celebrities with age and gender (Rothe, Timofte and Van Gool, 2015).

What a person has is `imdb_crop` or `wiki_crop`, or both, as folders or archives, alone or beside each other in one
folder, each with its `.mat` file: a MATLAB struct `imdb` or `wiki` of one row a picture. Kept is what the thesis'
script keeps (imdeepmind's processed-imdb-wiki-dataset), and what is left out is counted by its reason:

- the detector found a face (`face_score` is not minus infinity), and no second one (`second_face_score` is NaN);
- the age is 0 to 101: whole years from the date of birth in the file's name to the 1st of January of
  `photo_taken`. A month or day of 0 is read as 1 in IMDB's names; in Wikipedia's it is no date.

One thing is done otherwise: where the gender is unknown (NaN), the script says female; here the picture is left out.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import itertools
import math
import multiprocessing
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from facegan.data import arrays, skipping
from facegan.data.archive import Entry, Listing, is_hidden, open_archive
from facegan.data.pictures import Pictures, is_picture
from facegan.data.skipping import count
from facegan.data.source import Item
from facegan.data.together import archives_in, joined, placed
from facegan.errors import BadInputError

COLUMNS = ("age", "gender")
SETS = ("imdb", "wiki")
OLDEST = 101  # years, in the thesis' script
# …/nm0000001_rm124825600_1899-5-10_1968.jpg, …/10000217_1981-05-05_2009.jpg
BORN = {
    "imdb": re.compile(r"[^_]*_[^_]*_(\d{4})-(\d{1,2})-(\d{1,2})_"),
    "wiki": re.compile(r"[^_]*_(\d{4})-(\d{1,2})-(\d{1,2})_"),
}
ZERO_IS_ONE = frozenset({"imdb"})
FIELDS = ("photo_taken", "full_path", "gender", "face_score", "second_face_score")
FORMAT_7_3 = (b"MATLAB 7.3 ", b"\x89HDF\r\n\x1a\n")  # is HDF5
MEMORY = 8 * 2**30  # bytes of address space in which a .mat file is read

NO_FACE = "no face, by its score"
SECOND_FACE = "a second face"
NO_BIRTH = "no date of birth or of the picture"
NO_AGE = f"an age that is not 0 to {OLDEST}"
NO_GENDER = "gender unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a `.mat` file says of one picture. Numbers are NaN where it says nothing."""

    path: str
    taken: float
    gender: float
    face_score: float
    second_face_score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    """One of the two sets, where it is."""

    listing: Listing
    kind: str
    mat: Entry


def open_source(path: Path) -> Pictures:
    """The faces of `imdb_crop`, then those of `wiki_crop`, in the order of their `.mat` files.

    What is unpacked is read, and no archive of it beside it.

    Args:
        path: A folder, zip, tar or tar.gz with one of the two or both; or a folder of such archives.

    Raises:
        BadInputError: there is no `.mat` file or no picture for it, or it cannot be read.
    """
    here = open_archive(path)
    unpacked = {one.kind for one in _found([here]) if _pictures(one)[1]}
    packed = archives_in(here, set(SETS) - unpacked, others=not unpacked)
    found = list(_found([here, *packed]))
    used = {one.listing.archive: one.listing for one in found} or {here.archive: here}
    archives = list(used)
    skipped: dict[str, int] = {}
    for reason, times in itertools.chain.from_iterable(listing.skipped.items() for listing in used.values()):
        count(skipped, reason, times)
    items = [
        replace(item, at=placed(archives.index(one.listing.archive), item.at, archives))
        for one in found
        for item in _items(one, skipped)
    ]
    if not items:
        raise BadInputError(
            f'"{path}" is not IMDB-WIKI: it has no imdb.mat or wiki.mat with pictures beside it that can be used'
            f" ({skipping.listed(skipped) or 'nothing'} left out)",
            hint="give imdb_crop or wiki_crop, a folder or archive with its .mat file inside, or the folder of both",
        )
    return Pictures(archive=joined(archives), columns=COLUMNS, items=tuple(items), skipped=skipped)


def _found(listings: Sequence[Listing]) -> Iterator[_Set]:
    """Return each of the two sets that is there, from the place that has most pictures of it."""
    for kind in SETS:
        mats = ((listing, _mat(listing, kind)) for listing in listings)
        places = [_Set(listing=listing, kind=kind, mat=mat) for listing, mat in mats if mat is not None]
        if places:
            yield max(places, key=lambda place: len(_pictures(place)[1]))


def _mat(listing: Listing, kind: str) -> Entry | None:
    found = (entry for entry in listing.entries if entry.base == f"{kind}.mat" and not is_hidden(entry.name))
    return min(found, key=lambda entry: _preferred(kind, entry), default=None)


def _preferred(kind: str, entry: Entry) -> tuple[bool, int, str]:
    return f"{kind}_crop/" not in f"/{entry.name}", entry.name.count("/"), entry.name


def _items(one: _Set, skipped: dict[str, int]) -> list[Item]:
    """The items of one of the two sets; adds to `skipped`."""
    top, pictures = _pictures(one)
    items = []
    for row in rows(arrays.whole(one.listing.archive, one.mat), one.kind, called=one.mat.name):
        entry = pictures.pop(row.path, None)
        values = valued(row, one.kind)
        if isinstance(values, str):
            count(skipped, values)
        elif entry is None:
            count(skipped, skipping.NO_IMAGE)
        else:
            items.append(Item(name=f"{top}{row.path}", values=values, at=entry.at))
    count(skipped, skipping.NO_ROW, len(pictures))
    return items


def _pictures(one: _Set) -> tuple[str, dict[str, Entry]]:
    """The folder of a set's pictures, and these by their path in it: `imdb_crop/`, or where the .mat file is."""
    inside = re.compile(rf"(?:.*/)?{one.kind}_crop/")
    tops = {named[0] for entry in one.listing.entries if (named := inside.match(entry.name))}
    top = min(tops, key=lambda name: (len(name), name)) if tops else one.mat.name.removesuffix(one.mat.base)
    found = (entry for entry in one.listing.entries if entry.name.startswith(top) and is_picture(entry.base))
    return top, {entry.name.removeprefix(top): entry for entry in found if not is_hidden(entry.name)}


def valued(row: Row, kind: str) -> tuple[int, int] | str:
    """Age in years and gender (1 male, 0 female) of a picture, or the reason why it is left out."""
    if row.face_score == -math.inf:
        return NO_FACE
    if not math.isnan(row.second_face_score):
        return SECOND_FACE
    if row.gender not in {0.0, 1.0}:
        return NO_GENDER
    birth = born(row.path, kind)
    if birth is None or not row.taken.is_integer():
        return NO_BIRTH
    age = years(birth, int(row.taken))
    return (age, int(row.gender)) if 0 <= age <= OLDEST else NO_AGE


def born(path: str, kind: str) -> date | None:
    """The date of birth in the name of a picture."""
    named = BORN[kind].match(path.rpartition("/")[2])
    if named is None:
        return None
    year, month, day = map(int, named.groups())
    if kind in ZERO_IS_ONE:
        month, day = month or 1, day or 1
    try:
        return date(year, month, day)
    except ValueError:
        return None


def years(birth: date, taken: int) -> int:
    """Whole years from a birth to the 1st of January of a year, cut towards zero: 0 for a picture of that year."""
    months = 12 * (taken - birth.year) - (birth.month - 1) - (birth.day > 1 and taken > birth.year)
    return int(months / 12)


def rows(content: bytes, kind: str, *, called: str) -> Iterator[Row]:
    """The rows of a `.mat` file of format 5, which is what the authors published.

    SciPy runs nothing that such a file says, but its reader is compiled code that its authors do not hold fit for
    hostile files: of random changes to a good one, 3 in 100 end the process by a signal (SciPy 1.17.1, measured), and a
    packed one can grow to any size. So it works in a process of its own, with a bound on its memory.

    Raises:
        BadInputError: it cannot be read, it has no such struct, or SciPy is not installed.
    """
    if content.startswith(FORMAT_7_3):
        raise BadInputError(
            f'"{called}" cannot be read: it is of MATLAB\'s format 7.3',
            hint=f"fetch the one that was published, or save it in format 5: in MATLAB, save {kind}.mat {kind} -v7",
        )
    if importlib.util.find_spec("scipy") is None:
        raise BadInputError(
            f'"{called}" is read by the Python package "scipy", and it is not installed',
            hint="pip install 'facegan-job[faces]'",
        )
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_limit_memory, initargs=(MEMORY,)) as process:
        try:
            fields = process.submit(_fields, content, kind).result()
        except (BrokenProcessPool, ValueError) as error:
            why = str(error) if isinstance(error, ValueError) else "its reader crashed"
            raise BadInputError(f'"{called}" cannot be read: {why}', hint="fetch it again") from error
    return (
        Row(path=path, taken=taken, gender=gender, face_score=face, second_face_score=second)
        for taken, path, gender, face, second in zip(*(fields[name] for name in FIELDS), strict=True)
    )


def _limit_memory(most: int) -> None:
    if importlib.util.find_spec("resource") is not None:  # not on Windows
        resource = importlib.import_module("resource")
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _fields(content: bytes, kind: str) -> Mapping[str, list[Any]]:
    """The columns of the struct, all of one length; in the reading process.

    Raises:
        ValueError: for whatever the reader says, because its errors need its modules.
    """
    load: Callable[..., Any] = importlib.import_module("scipy.io").loadmat
    try:
        struct = load(io.BytesIO(content), variable_names=[kind])[kind][0, 0]
        found = {name: struct[name].ravel() for name in FIELDS}
        fields = {name: column.astype(float).tolist() for name, column in found.items() if name != "full_path"}
        fields["full_path"] = [str(cell.item()) if cell.size == 1 else "" for cell in found["full_path"]]
    except Exception as error:  # noqa: BLE001 - it raises whatever a damaged file leads to
        raise ValueError(f"{type(error).__name__}: {error}"[:200]) from None
    if len({len(column) for column in fields.values()}) > 1:
        raise ValueError(f"its fields differ in length: { {name: len(column) for name, column in fields.items()} }")
    return fields
