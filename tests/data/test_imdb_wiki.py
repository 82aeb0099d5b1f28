"""IMDB-WIKI is filtered as the thesis' script does, with every picture left out counted by its reason.

The `.mat` files are written here by SciPy, with the fields that the authors' files have, over real portraits.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facegan.data.sources import imdb_wiki, open_source
from facegan.data.sources.imdb_wiki import NO_AGE, NO_BIRTH, NO_FACE, NO_GENDER, SECOND_FACE
from facegan.errors import BadInputError

NAN, INF = math.nan, math.inf
Row = tuple[str, int, float, float, float]  # path, photo_taken, gender, face_score, second_face_score

# What is kept has its age and gender beside it; what is not, its reason.
IMDB: list[tuple[Row, tuple[int, int] | str]] = [
    (("01/nm0000001_rm124825600_1899-5-10_1968.jpg", 1968, 1.0, 1.46, NAN), (68, 1)),
    (("01/nm0000001_rm3343756032_1899-1-1_1970.jpg", 1970, 0.0, 2.54, NAN), (71, 0)),
    (("02/nm0000002_rm1_1924-0-0_1954.jpg", 1954, 0.0, 3.0, NAN), (30, 0)),  # 1924-1-1
    (("02/nm0000002_rm2_1924-9-0_1954.jpg", 1954, 0.0, 3.0, NAN), (29, 0)),
    (("02/nm0000002_rm3_1954-9-16_1954.jpg", 1954, 1.0, 3.0, NAN), (0, 1)),
    (("03/nm0000003_rm4_1853-1-1_1954.jpg", 1954, 1.0, 3.0, NAN), (101, 1)),
    (("03/nm0000003_rm5_1852-1-1_1954.jpg", 1954, 1.0, 3.0, NAN), NO_AGE),
    (("03/nm0000003_rm6_1980-9-16_1954.jpg", 1954, 1.0, 3.0, NAN), NO_AGE),
    (("04/nm0000004_rm7_1924-13-1_1954.jpg", 1954, 1.0, 3.0, NAN), NO_BIRTH),
    (("04/nm0000004_rm8_1924-2-30_1954.jpg", 1954, 1.0, 3.0, NAN), NO_BIRTH),
    (("04/nm0000004_rm9_unknown_1954.jpg", 1954, 1.0, 3.0, NAN), NO_BIRTH),
    (("05/nm0000005_rm10_1924-2-3_1954.jpg", 1954, 1.0, -INF, NAN), NO_FACE),
    (("05/nm0000005_rm11_1924-2-3_1954.jpg", 1954, 1.0, 3.0, 1.2), SECOND_FACE),
    (("05/nm0000005_rm12_1924-2-3_1954.jpg", 1954, NAN, 3.0, NAN), NO_GENDER),
]
WIKI: list[tuple[Row, tuple[int, int] | str]] = [
    (("17/10000217_1981-05-05_2009.jpg", 2009, 1.0, 4.3, NAN), (27, 1)),
    (("48/10000548_1925-04-04_1964.jpg", 1964, 0.0, 2.6, NAN), (38, 0)),
    (("12/100012_1948-00-00_2008.jpg", 2008, 1.0, 2.6, NAN), NO_BIRTH),  # not read as 1, unlike IMDB's
    (("12/10002702_1960-11-09_2012.jpg", 2012, 0.0, -INF, NAN), NO_FACE),
]
MISSING = "06/nm0000006_rm13_1924-2-3_1954.jpg"
STRAY = "06/nm0000006_rm14_1924-2-3_1954.jpg"
IMDB_SKIPPED = {NO_AGE: 2, NO_BIRTH: 3, NO_FACE: 1, SECOND_FACE: 1, NO_GENDER: 1, "a row without an image": 1}
WIKI_SKIPPED = {NO_BIRTH: 1, NO_FACE: 1}


def cells(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """A MATLAB cell array of one row."""
    made = np.empty((1, len(values)), object)
    for index, value in enumerate(values):
        made[0, index] = value
    return made


def mat(kind: str, rows: Sequence[Row], *, compress: bool = False, **changes: Any) -> bytes:
    """A `.mat` file with the fields of the authors', in their order."""
    paths, taken, gender, first, second = zip(*rows, strict=True)
    fields: dict[str, Any] = {
        "dob": np.array([[711_677] * len(rows)], np.int32),
        "photo_taken": np.array([taken], np.uint16),
        "full_path": cells(paths),
        "gender": np.array([gender]),
        "name": cells(["Fred Astaire"] * len(rows)),
        "face_location": cells([np.array([[1.0, 2.0, 100.5, 101.5]])] * len(rows)),
        "face_score": np.array([first]),
        "second_face_score": np.array([second]),
    }
    if kind == "imdb":
        fields |= {"celeb_names": cells(["'Lee' George Quinones"]), "celeb_id": np.array([[1.0] * len(rows)])}
    file = io.BytesIO()
    scipy.io.savemat(file, {kind: fields | changes}, do_compression=compress)
    return file.getvalue()


@pytest.fixture(scope="module")
def portraits(shared: Path) -> list[bytes]:
    with zipfile.ZipFile(shared / "congress_faces" / "faces128.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[:20]
        return [archive.read(name) for name in names]


@pytest.fixture(scope="module")
def imdb(portraits: list[bytes]) -> dict[str, bytes]:
    rows = [row for row, _ in IMDB]
    extra: Row = (MISSING, 1954, 1.0, 3.0, NAN)
    files = {f"imdb_crop/{row[0]}": picture for row, picture in zip(rows, portraits, strict=False)}
    return files | {f"imdb_crop/{STRAY}": portraits[-1], "imdb_crop/imdb.mat": mat("imdb", [*rows, extra])}


@pytest.fixture(scope="module")
def wiki(portraits: list[bytes]) -> dict[str, bytes]:
    rows = [row for row, _ in WIKI]
    files = {f"wiki_crop/{row[0]}": picture for row, picture in zip(rows, reversed(portraits), strict=False)}
    return files | {"wiki_crop/wiki.mat": mat("wiki", rows, compress=True)}


def laid(files: dict[str, bytes], folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def packed(files: dict[str, bytes], path: Path) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def kept(rows: Sequence[tuple[Row, tuple[int, int] | str]], top: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(f"{top}{row[0]}", values) for row, values in rows if not isinstance(values, str)]


def found(source: imdb_wiki.Pictures) -> list[tuple[str, tuple[int, ...]]]:
    return [(item.name, item.values) for item in source.items]


@pytest.mark.parametrize("form", ["folder", "the set's own folder", "zip", "tar.gz"])
def test_imdb_in_any_wrapping(imdb: dict[str, bytes], tmp_path: Path, form: str) -> None:
    if form in {"zip", "tar", "tar.gz"}:
        source = imdb_wiki.open_source(packed(imdb, tmp_path / f"imdb_crop.{form}"))
    else:
        source = imdb_wiki.open_source(laid(imdb, tmp_path) / ("imdb_crop" if "own" in form else ""))
    assert source.columns == ("age", "gender")
    assert found(source) == kept(IMDB, "" if "own" in form else "imdb_crop/")
    assert source.skipped == IMDB_SKIPPED | {"an image without a row": 1}
    again = pickle.loads(pickle.dumps(source.unpacked(tmp_path)))
    for item in source.items:
        content = again.picture(item)
        assert content == imdb[f"imdb_crop/{item.name.removeprefix('imdb_crop/')}"]
        assert Image.open(io.BytesIO(content)).size == (128, 128)


def test_both_in_one_folder(imdb: dict[str, bytes], wiki: dict[str, bytes], tmp_path: Path) -> None:
    others = {"imdb_crop/.DS_Store": b"?", "readme.txt": b"?", "wiki_crop/._wiki.mat": b"?"}
    source = open_source("imdb-wiki", laid(imdb | wiki | others, tmp_path))
    assert found(source) == kept(IMDB, "imdb_crop/") + kept(WIKI, "wiki_crop/")  # type: ignore[arg-type]
    both = {reason: IMDB_SKIPPED.get(reason, 0) + WIKI_SKIPPED.get(reason, 0) for reason in IMDB_SKIPPED}
    assert source.skipped == both | {"an image without a row": 1}


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_both_archives_in_one_folder_are_what_they_are_unpacked(
    imdb: dict[str, bytes], wiki: dict[str, bytes], tmp_path: Path, suffix: str
) -> None:
    unpacked = open_source("imdb-wiki", laid(imdb | wiki, tmp_path / "unpacked"))
    folder = laid({"notes.zip": b"none", "._wiki_crop.tar": b"none"}, tmp_path / "downloads")
    packed(imdb, folder / f"imdb_crop.{suffix}")
    packed(wiki, folder / f"wiki_crop.{suffix}")
    source = imdb_wiki.open_source(folder)
    assert found(source) == found(unpacked)  # type: ignore[arg-type]
    assert source.skipped == unpacked.skipped
    again = pickle.loads(pickle.dumps(source.unpacked(tmp_path)))
    for item in source.items:
        assert again.picture(item) == source.picture(item) == (imdb | wiki)[item.name]


def test_one_archive_in_a_folder_and_one_unpacked(
    imdb: dict[str, bytes], wiki: dict[str, bytes], tmp_path: Path
) -> None:
    packed(wiki, tmp_path / "wiki_crop.tar")
    assert found(imdb_wiki.open_source(tmp_path)) == kept(WIKI, "wiki_crop/")
    laid(imdb, tmp_path)
    both = kept(IMDB, "imdb_crop/") + kept(WIKI, "wiki_crop/")
    assert found(imdb_wiki.open_source(tmp_path)) == both
    laid(wiki | {"wiki_crop.tar": b"cut short", "imdb_crop.tar": b"too", "others.zip": b"?"}, tmp_path)
    assert found(imdb_wiki.open_source(tmp_path)) == both, "what is unpacked is read, and not its archive"


def test_the_mat_file_may_lie_elsewhere(wiki: dict[str, bytes], tmp_path: Path) -> None:
    files = {name.replace("wiki_crop/wiki.mat", "meta/wiki.mat"): content for name, content in wiki.items()}
    assert found(imdb_wiki.open_source(laid(files, tmp_path))) == kept(WIKI, "wiki_crop/")


BROKEN = {
    "no struct": {"another": 1},
    "a number": {"imdb": 5},
    "no path": {"imdb": {"photo_taken": np.array([[1954]]), "gender": np.array([[1.0]])}},
}


@pytest.mark.parametrize("name", [*BROKEN, "empty", "cut", "text", "lengths", "HDF5"])
def test_a_mat_file_that_cannot_be_read_is_told(imdb: dict[str, bytes], tmp_path: Path, name: str) -> None:
    whole = imdb["imdb_crop/imdb.mat"]
    file = io.BytesIO()
    scipy.io.savemat(file, BROKEN.get(name, {}))
    content = {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "text": b"not a MATLAB file at all, but a text that somebody put there under its name" * 9,
        "lengths": mat("imdb", [row for row, _ in IMDB], gender=np.array([[1.0]])),
        "HDF5": whole[:124] + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n" + bytes(1000),
    }.get(name, file.getvalue())
    with pytest.raises(BadInputError, match=r"imdb\.mat") as caught:
        imdb_wiki.open_source(laid(imdb | {"imdb_crop/imdb.mat": content}, tmp_path))
    assert caught.value.hint


@pytest.mark.parametrize("head", [b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124), b""])
def test_a_mat_file_of_a_later_format_is_told_which_one_to_save(
    imdb: dict[str, bytes], tmp_path: Path, head: bytes
) -> None:
    content = head + b"\x89HDF\r\n\x1a\n" + bytes(100)
    with pytest.raises(BadInputError, match=r"imdb\.mat.*format 7\.3") as caught:
        imdb_wiki.open_source(laid(imdb | {"imdb_crop/imdb.mat": content}, tmp_path))
    assert "save imdb.mat imdb -v7" in str(caught.value.hint)


def test_a_mat_file_that_crashes_its_reader_is_told(imdb: dict[str, bytes], tmp_path: Path) -> None:
    number, none = struct.pack("<II", 9, 8), struct.pack("<II", 8, 8)  # an element of 8 bytes, of a type that is none
    crafted = mat("imdb", [IMDB[0][0]])
    assert crafted.count(number) >= 1
    files = imdb | {"imdb_crop/imdb.mat": crafted.replace(number, none)}  # SciPy 1.17 dies of it by a signal
    with pytest.raises(BadInputError, match=r"imdb\.mat.*cannot be read: ") as caught:
        imdb_wiki.open_source(laid(files, tmp_path))
    assert caught.value.hint == "fetch it again"


def test_a_mat_file_that_asks_for_all_memory_is_told(
    imdb: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(imdb_wiki, "MEMORY", 2**29)
    bomb = mat("imdb", [IMDB[0][0]], compress=True, dob=np.zeros((1, 2**28), np.uint8))  # 256 MiB of zeros
    assert len(bomb) < 2**19
    with pytest.raises(BadInputError, match=r"imdb\.mat.*cannot be read: MemoryError"):
        imdb_wiki.open_source(laid(imdb | {"imdb_crop/imdb.mat": bomb}, tmp_path))


def test_nothing_there(wiki: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"has no imdb\.mat or wiki\.mat"):
        imdb_wiki.open_source(tmp_path)
    only = {"wiki_crop/wiki.mat": wiki["wiki_crop/wiki.mat"]}
    with pytest.raises(BadInputError, match=r"2 a row without an image.*left out"):
        imdb_wiki.open_source(laid(only, tmp_path))


@given(
    birth=st.dates(date(1000, 1, 1), date(2030, 12, 31)),
    taken=st.integers(1000, 2030),
)
def test_years_are_those_of_the_script(birth: date, taken: int) -> None:
    assert imdb_wiki.years(birth, taken) == relativedelta(datetime(taken, 1, 1), birth).years  # noqa: DTZ001


@given(text=st.text(max_size=60))
def test_any_name_has_a_birth_or_none(text: str) -> None:
    for kind in ("imdb", "wiki"):
        assert isinstance(imdb_wiki.born(text, kind), date | None)


@pytest.mark.parametrize(
    ("kind", "path", "birth"),
    [
        ("imdb", "01/nm0000001_rm124825600_1899-5-10_1968.jpg", date(1899, 5, 10)),
        ("wiki", "17/10000217_1981-05-05_2009.jpg", date(1981, 5, 5)),
        ("wiki", "01/nm0000001_rm124825600_1899-5-10_1968.jpg", None),
        ("imdb", "01/nm0000001_rm124825600_0000-5-10_1968.jpg", None),
    ],
)
def test_births(kind: str, path: str, birth: date | None) -> None:
    assert imdb_wiki.born(path, kind) == birth
