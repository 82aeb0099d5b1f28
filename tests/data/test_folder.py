"""Pictures of one's own, and the labels that their folders give them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from facegan.data import making, skipping
from facegan.data.preparing import Options
from facegan.data.sources import open_source
from facegan.errors import BadInputError
from tests.data.hostile import fill
from tests.data.test_archive import zipped


def labels(path: Path) -> dict[str, tuple[int, ...]]:
    return {item.name: item.values for item in open_source("my-faces", path).items}


def test_pictures_come_sorted_and_other_files_are_counted(tmp_path: Path) -> None:
    names = ["b.PNG", "a.jpeg", "sub/c.webp", "noending", "readme.txt", ".DS_Store", "__MACOSX/._a.jpeg", "d.json"]
    source = open_source("my-faces", fill(tmp_path / "it", dict.fromkeys(names, b"x")))
    assert [item.name for item in source.items] == ["a.jpeg", "b.PNG", "noending", "sub/c.webp"]
    assert source.columns == ()  # not all are in a subfolder
    assert source.skipped == {skipping.OTHER_FILE: 2, skipping.HIDDEN: 2}


def test_subfolders_are_labels(tmp_path: Path) -> None:
    names = {"cats/2.jpg": 1, "cats/1.jpg": 1, "birds/x/y/3.jpg": 0, "dogs/4.jpg": 2}
    expected = {name: (label,) for name, label in sorted(names.items())}
    assert labels(fill(tmp_path / "it", dict.fromkeys(names, b"x"))) == expected
    wrapped = {f"top/train/{name}": b"x" for name in names}
    assert labels(zipped(tmp_path / "it.zip", wrapped)) == {f"top/train/{k}": v for k, v in expected.items()}
    one = fill(tmp_path / "one", {"cats/1.jpg": b"x", "cats/2.jpg": b"x"})
    assert labels(one) == {"cats/1.jpg": (), "cats/2.jpg": ()}
    for count in (256, 257):
        many = labels(fill(tmp_path / f"{count}", {f"{n:03d}/a.jpg": b"x" for n in range(count)}))
        assert set(many.values()) == ({(n,) for n in range(256)} if count == 256 else {()})


def test_a_file_without_an_ending_decides_on_no_kind_from_above(tmp_path: Path) -> None:
    kinds = {"data/cats/1.jpg": 0, "data/cats/jpg": 0, "data/dogs/2.PNG": 1, "data/fish/3": 2}
    others = ["LICENSE", "data/Makefile", "jpg"]
    source = open_source("my-faces", fill(tmp_path / "it", dict.fromkeys([*kinds, *others], b"x")))
    assert source.columns == ("label",)
    assert {item.name: item.values for item in source.items} == {name: (kind,) for name, kind in kinds.items()}
    assert source.skipped == {skipping.OTHER_FILE: len(others)}
    bare = fill(tmp_path / "bare", {"cats/1": b"x", "dogs/2": b"x"})
    assert labels(bare) == {"cats/1": (0,), "dogs/2": (1,)}  # where none has an ending, all are taken for pictures


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no picture in .*looked for .*\.jpg.*found 1 not named like") as refused:
        open_source("my-faces", fill(tmp_path / "it", {"a.txt": b"x"}))
    assert refused.value.hint == "--source takes a folder of pictures, or a .zip, .tar or .tar.gz of them"
    with pytest.raises(BadInputError, match="found nothing"):
        open_source("my-faces", zipped(tmp_path / "empty.zip", {}))
    with pytest.raises(BadInputError, match="there is no file or folder"):
        open_source("my-faces", tmp_path / "nothing")


def test_the_portraits(shared: Path) -> None:
    source = open_source("portraits", shared / "congress_faces" / "faces128.zip")
    assert len(source.items) == 531
    assert dict(source.skipped) == {}


def test_what_is_refused_leaves_nothing_of_its_own(tmp_path: Path) -> None:
    """Not even where no picture was looked at; and what a kill left of other pictures stays."""
    asked, set_folder = Options(name="mine"), tmp_path / "data" / "mine"
    junk = fill(tmp_path / "junk", {f"{n:02d}.jpg": b"junk" for n in range(11)})
    for options in (asked, replace(asked, domains="age")):
        with pytest.raises(BadInputError, match=r"cannot be used|unknown column"):
            making.make(options, junk, tmp_path, print)
        assert [path.name for path in set_folder.iterdir()] == [".lock"]
    fill(making.unfinished(asked, tmp_path), {".preparing-1/images.npy": b"x"})
    with pytest.raises(BadInputError, match="cannot be used"):
        making.make(asked, junk, tmp_path, print)
    assert len(list(set_folder.rglob(".preparing-1/images.npy"))) == 1
