"""Pictures of one's own, and the labels that their folders give them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from facegan.data import making, skipping
from facegan.data.archive import open_archive
from facegan.data.preparing import Options
from facegan.data.sources import open_source
from facegan.errors import BadInputError
from tests.data.hostile import fill, jpeg
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


def closed(call: Callable[..., object], below: Path) -> Callable[..., object]:
    """The same call of the system, which nobody may make of what a folder holds; root may not either."""

    def refusing(path: object, *given: object, **more: object) -> object:
        if isinstance(path, str | os.PathLike) and f"{os.fspath(path)}/".startswith(f"{below}/"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return call(path, *given, **more)

    return refusing


@pytest.mark.parametrize("closed_to", [["scandir"], ["scandir", "stat", "lstat"]], ids=["reading", "all"])
@pytest.mark.parametrize("folder", ["b", "b/deeper", "."])
def test_a_folder_that_cannot_be_read_is_refused_and_not_left_out(
    folder: str, closed_to: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it `c` would be 1 and not 2."""
    it = fill(tmp_path / "it", dict.fromkeys(["a/1.jpg", "b/deeper/2.jpg", "c/3.jpg"], b"x"))
    for call in closed_to:
        monkeypatch.setattr(os, call, closed(getattr(os, call), it / folder))
    with pytest.raises(BadInputError) as refused:
        open_source("my-faces", it)
    unseen = folder == "." and "stat" in closed_to  # then nobody knows that it is one
    assert (
        refused.value.message == f'{"" if unseen else "the folder "}"{it / folder}" cannot be read: Permission denied'
    )
    assert unseen or "chmod" in str(refused.value.hint)


@pytest.mark.parametrize("kept", [".Trashes", "a/.kept", "z/.last", ".Trashes/501"])
def test_a_hidden_folder_that_cannot_be_read_is_counted(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = fill(tmp_path / "it", dict.fromkeys(["a/1.jpg", "z/2.jpg", f"{kept}/3.jpg"], b"x"))
    monkeypatch.setattr(os, "scandir", closed(os.scandir, it / kept))
    source = open_source("my-faces", it)
    assert [item.name for item in source.items] == ["a/1.jpg", "z/2.jpg"]
    assert source.skipped == {skipping.HIDDEN: 1}


def test_a_folder_whose_files_cannot_be_reached_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that may be listed and not entered (mode 444): all in it would be left out, and it with them."""
    it = fill(tmp_path / "it", dict.fromkeys(["a/1.jpg", "b/2.jpg", "c/3.jpg"], b"x"))
    (it / "b" / "link.jpg").symlink_to("2.jpg")
    stat, no_stat = os.stat, closed(os.stat, it / "b")
    monkeypatch.setattr(os, "stat", lambda path, **more: (no_stat if str(path)[-4:] == ".jpg" else stat)(path, **more))
    monkeypatch.setattr(os, "lstat", closed(os.lstat, it / "b"))
    with pytest.raises(BadInputError, match=r'^the folder ".*/b" cannot be read: Permission denied$'):
        open_source("my-faces", it)
    monkeypatch.undo()
    (it / "b" / "away.jpg").symlink_to(tmp_path / "away.jpg")
    monkeypatch.setattr(os, "stat", closed(os.stat, it / "b" / "away.jpg"))
    assert open_archive(it).skipped == {skipping.UNREADABLE: 1}, "a link to where nobody may look"


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


def test_a_name_that_no_column_may_have_is_refused_before_a_picture_is_made(tmp_path: Path) -> None:
    """Not when all of them are made, and nothing is left over."""
    lists = b"image_id,Bald,Age=3\n" + b"".join(b"%06d.jpg,1,-1\n" % n for n in range(20))
    source = fill(tmp_path / "it", {"list_attr_celeba.csv": lists} | {f"{n:06d}.jpg": jpeg(n) for n in range(20)})
    said: list[str] = []
    for asked in (Options(name="celeba", size=16), Options(name="celeba", size=16, domains="Bald")):
        with pytest.raises(BadInputError) as refused:
            making.make(asked, source, tmp_path, said.append)
        assert refused.value.message.startswith('no column may be called "Age=3": its name is 1 to 100 characters')
        assert str(refused.value.hint).startswith("change that in the list")
        assert [path.name for path in (tmp_path / "data" / "celeba").iterdir()] == [".lock"]
    assert said == [], "none was made"


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
