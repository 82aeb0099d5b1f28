"""CelebA in every layout in which people have it gives the same items."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from facegan.data import skipping
from facegan.data.pictures import Pictures
from facegan.data.sources import open_source
from facegan.errors import BadInputError
from tests.data.hostile import fill, jpeg
from tests.data.test_archive import tarred, zipped

COLUMNS = ("5_o_Clock_Shadow", "Bald", "Smiling")
ROWS = {f"{number:06d}.jpg": (number % 2, number // 2 % 2, number // 4 % 2) for number in range(1, 8)}
PARTS = {name: (0 if name < "000004" else 1 if name < "000006" else 2) for name in ROWS}
PICTURES = {name: jpeg(number) for number, name in enumerate(ROWS)}


def official(rows: Mapping[str, tuple[int, ...]] = ROWS, end: str = "\n", sep: str = "  ") -> bytes:
    signs = [f"{name}{sep}{sep.join(f'{2 * value - 1:2d}' for value in row)}" for name, row in rows.items()]
    return (end.join([str(len(rows)), " ".join(COLUMNS) + " ", *signs]) + end).encode()


def kaggle(rows: Mapping[str, tuple[int, ...]] = ROWS, end: str = "\n") -> bytes:
    signs = [",".join([name, *(str(2 * value - 1) for value in row)]) for name, row in rows.items()]
    return (end.join([",".join(["image_id", *COLUMNS]), *signs]) + end).encode()


def parts(sep: str = " ", head: str = "", end: str = "\n") -> bytes:
    return (head + "".join(f"{name}{sep}{part}{end}" for name, part in PARTS.items())).encode()


def under(prefix: str) -> dict[str, bytes]:
    return {f"{prefix}{name}": data for name, data in PICTURES.items()}


def layouts(folder: Path) -> dict[str, Path]:
    """Every layout, made below a folder; with the partitions, and without them where the name ends so."""
    official_files = {
        "list_attr_celeba.txt": official(),
        "list_eval_partition.txt": parts(end="\r\n"),
        "identity_CelebA.txt": b"000001.jpg 1\n",
    }
    kaggle_files = {
        "list_attr_celeba.csv": kaggle(),
        "list_eval_partition.csv": parts(",", "image_id,partition\n"),
        "list_bbox_celeba.csv": b"image_id,x_1\n",
    }
    crlf = {"list_attr_celeba.csv": kaggle(end="\r\n"), "list_eval_partition.txt": parts()}
    nested = {**kaggle_files, **under("img_align_celeba/img_align_celeba/")}
    in_folders = fill(
        folder / "drive", {"Anno/list_attr_celeba.txt": official(), "Eval/list_eval_partition.txt": parts()}
    )
    (in_folders / "Img").mkdir()
    zipped(in_folders / "Img" / "img_align_celeba.zip", under("img_align_celeba/"))
    beside = fill(folder / "official", official_files)
    zipped(beside / "img_align_celeba.zip", under("img_align_celeba/"))
    zipped(beside / "img_celeba_other.zip", {"readme.txt": b"no pictures"})
    made = {
        "official": beside,
        "official, the archive itself": beside / "img_align_celeba.zip",
        "official, unpacked": fill(folder / "unpacked", {**official_files, **under("img_align_celeba/")}),
        "official, the folder of pictures itself": folder / "unpacked" / "img_align_celeba",
        "as on the drive": in_folders,
        "kaggle, nested": fill(folder / "nested", nested),
        "kaggle, flat": fill(folder / "flat", {**kaggle_files, **under("img_align_celeba/")}),
        "kaggle, as downloaded": zipped(folder / "archive.zip", nested),
        "crlf": fill(folder / "crlf", {**crlf, **under("")}),
        "tar": tarred(folder / "celeba.tar", nested),
        "tar.gz": tarred(folder / "celeba.tar.gz", nested, "w:gz"),
        "in one folder of an archive": zipped(folder / "one.zip", {f"celeba/{k}": v for k, v in nested.items()}),
        "faces and list": fill(folder / "faces", {"list_attr_celeba.csv": kaggle()}),
    }
    zipped(made["faces and list"] / "faces128.zip", PICTURES)
    fill(made["faces and list"], {"._celeba.zip": b"\0\5\x16\7"})  # as macOS leaves on other disks
    return made


def test_every_layout_gives_the_same_items(tmp_path: Path) -> None:
    for layout, path in layouts(tmp_path).items():
        source = open_source("celeba", path)
        has_parts = layout != "faces and list"
        assert source.columns == (*COLUMNS, *(("partition",) if has_parts else ())), layout
        found = {item.name: item.values for item in source.items}
        assert found == {name: (*row, *((PARTS[name],) if has_parts else ())) for name, row in ROWS.items()}, layout
        assert [item.name for item in source.items] == sorted(ROWS), layout
        assert isinstance(source, Pictures)
        there = source.unpacked(tmp_path)
        assert {item.name: there.picture(item) for item in source.items} == PICTURES, layout
        assert dict(source.skipped) == {}, layout


def test_what_has_no_other_half_is_counted(tmp_path: Path) -> None:
    rows = dict(ROWS)
    del rows["000002.jpg"], rows["000003.jpg"]
    text = kaggle(rows | {"900000.jpg": (1, 1, 1)})
    text = text.replace(b"000004.jpg,-1", b"000004.jpg,maybe").replace(b"000005.jpg,1,", b"000005.jpg,1,1,")
    text += b"<html>junk</html>\n"
    files = {
        "list_attr_celeba.csv": text,
        "list_eval_partition.txt": parts().replace(b"000006.jpg 2", b"").replace(b"000007.jpg 2", b"000007.jpg 7"),
        **under("faces/"),
        "again/000001.jpg": b"again",
        "__MACOSX/._000001.jpg": b"\0\5\x16\7",
    }
    source = open_source("celeba", fill(tmp_path / "it", files))
    assert [item.name for item in source.items] == ["000001.jpg"]
    assert source.skipped == {
        skipping.TWICE: 1,
        skipping.NO_ROW: 3,  # 2 and 3 in the attributes, 6 in the partitions
        skipping.BROKEN_ROW: 4,  # 4, 5 and a line of junk in the attributes, 7 in the partitions
        skipping.NO_IMAGE: 1,
        skipping.HIDDEN: 1,
    }


def test_png_files_belong_to_the_rows_of_their_jpg_names(tmp_path: Path) -> None:
    files = {name.replace("jpg", "png"): data for name, data in PICTURES.items()}
    source = open_source("celeba", fill(tmp_path / "it", {"list_attr_celeba.txt": official(), **files}))
    assert [(item.name, item.values) for item in source.items] == [
        (n.replace("jpg", "png"), v) for n, v in ROWS.items()
    ]


def test_what_is_not_celeba_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no pictures in .* looked for"):
        open_source("celeba", fill(tmp_path / "no-pictures", {"list_attr_celeba.txt": official()}))
    with pytest.raises(BadInputError, match=r"no attributes .* looked for list_attr_celeba\.txt"):
        open_source("celeba", fill(tmp_path / "no-list", PICTURES))
    strangers = fill(tmp_path / "strangers", {"list_attr_celeba.csv": kaggle({"1.jpg": (0, 0, 0)}), **PICTURES})
    with pytest.raises(
        BadInputError, match=r"belongs to a row of .*7 an image without a row, 1 a row without"
    ) as refused:
        open_source("celeba", strangers)
    assert refused.value.hint is not None


def test_rows_of_one_picture_are_one_row_or_none(tmp_path: Path) -> None:
    """Neither the first nor the last wins."""
    one, two = b"000001.jpg,1,-1,-1", b"000002.jpg,-1,1,-1"
    text = kaggle()
    assert text.count(one) == text.count(two) == 1, "the rows that come again"
    again = {
        one: {"000001.jpg": ROWS["000001.jpg"]},
        b"000001.jpg,1,-1,1": {},
        b"000001.jpg,1,-1": {},
        b"000001.jpg,1,-1,1\n" + one: {},
        two: {"000001.jpg": ROWS["000001.jpg"]},
    }
    for number, (lines, first) in enumerate(again.items()):
        for where in (text + lines, text.replace(one, lines + b"\n" + one)):
            it = fill(tmp_path / f"{number}", {"list_attr_celeba.csv": where, **PICTURES})
            source = open_source("celeba", it)
            assert {item.name: item.values for item in source.items[:-6]} == first, lines
            assert source.skipped == ({} if first else {skipping.BROKEN_ROW: 1}), lines
    both = parts() + b"000003.jpg 1\n000004.jpg 1\n"
    it = fill(tmp_path / "parts", {"list_attr_celeba.csv": text, "list_eval_partition.txt": both, **PICTURES})
    assert [item.name for item in open_source("celeba", it).items] == sorted({*ROWS} - {"000003.jpg"})


def test_two_lists_of_one_kind_say_the_same_or_are_refused(tmp_path: Path) -> None:
    lists = {"list_attr_celeba.txt": official(), "list_eval_partition.txt": parts()}
    others = {"list_attr_celeba.csv": kaggle(), "list_eval_partition.csv": parts(",", "image_id,partition\n")}
    it = fill(tmp_path / "it", lists | others | under("faces/"))
    assert [item.values[:3] for item in open_source("celeba", it).items] == list(ROWS.values())
    changed = {
        "list_attr_celeba": kaggle(ROWS | {"000004.jpg": (1, 1, 1)}),
        "list_eval_partition": others["list_eval_partition.csv"].replace(b"000004.jpg,1", b"000004.jpg,0"),
    }
    for name, text in changed.items():
        assert text != others[f"{name}.csv"]
        with pytest.raises(BadInputError) as refused:
            open_source("celeba", fill(tmp_path / "it", others | {f"{name}.csv": text}))
        assert refused.value.message == f'"{name}.csv" in "{it}" and "{name}.txt" in "{it}" do not say the same'
        assert refused.value.hint == "take away the one that is wrong"
    renamed = kaggle().replace(b"Bald", b"Bold")
    with pytest.raises(BadInputError, match="do not say the same"):
        open_source("celeba", fill(tmp_path / "it", others | {"list_attr_celeba.csv": renamed}))
    deeper = fill(tmp_path / "deeper", lists | {"old/list_attr_celeba.csv": renamed} | under("faces/"))
    assert open_source("celeba", deeper).columns == (*COLUMNS, "partition"), "the nearer one"


HEAD = " ".join(COLUMNS)
NO_LISTS = {
    "attr_celeba.txt": {
        b"": "is no list of attributes: it is empty",
        b"<html>Quota exceeded</html>": 'is no list of attributes: it begins with "<html>Quota exceeded</html>"',
        official().decode().encode("utf-16"): 'begins with "\ufffd\ufffd7?',
        kaggle().replace(b",", b";"): 'begins with "image_id;5_o_Clock_Shadow;Bald;Smiling"',
        official().replace(b"Bald", b"Smiling"): 'begins with "5_o_Clock_Shadow Smiling Smiling"',
        b"000001.jpg -1 1 1\n": 'begins with "000001.jpg -1 1 1"',
        b"9" * 5_000: f'begins with "{"9" * 60}"',
        official()[:100]: "is cut short: 3 of the 7 rows that its first line says",
        official().replace(b"7\n", b"999\n", 1): "is cut short: 7 of the 999 rows",
        f"7\n{HEAD}".encode(): "is cut short: 0 of the 7 rows",
        f"{HEAD}\n".encode(): f'is no list of attributes: it begins with "{HEAD}"',
        f"{HEAD}\n1.jpg 1 0.5 -1\n2.jpg 1 0 -1 1\n".encode(): f'begins with "{HEAD}", and has no row that can be read: '
        '"1.jpg 1 0.5 -1" has "0.5", which is none of -1, 0, 1',
        kaggle().replace(b"\n", b",2\n"): 'read: "000001.jpg,1,-1,-1,2" has "2", which is none of -1, 0, 1',
        f"{HEAD}\n1.jpg 1 1\n".encode(): 'read: "1.jpg 1 1" has the wrong number of values, 2 for 3 columns',
        f"{HEAD}\n1.jpg 1 \x1b[2J 1\n".encode(): 'read: "1.jpg 1 ?[2J 1" has "?[2J", which is none of',
        f"{HEAD}\n1.jpg 1 {'9' * 99} 1\n".encode(): f'read: "1.jpg 1 {"9" * 52}" has "{"9" * 60}", which is none of',
        f"{HEAD}\n1.jpg 1 1 1\n1.jpg 1 1 0\n".encode(): 'read: "1.jpg 1 1 1" is not the only one of its name',
    },
    "eval_partition.txt": {
        b"": "is no list of partitions: it is empty",
        b"<html>Quota exceeded</html>": 'begins with "<html>Quota exceeded</html>", and has no row that can be read: '
        '"<html>Quota exceeded</html>" has "exceeded</html>", which is none of 0, 1, 2',
        b"image_id,partition": 'is no list of partitions: it begins with "image_id,partition"',
        b"1.jpg 0\n2.jpg 1\n": "has no row for 7 of 7 pictures",
    },
}


@pytest.mark.parametrize("name", NO_LISTS)
def test_the_list_that_cannot_be_used_is_named(name: str, tmp_path: Path) -> None:
    it = fill(tmp_path / "it", {"list_attr_celeba.txt": official(), "list_eval_partition.txt": parts(), **PICTURES})
    for text, why in NO_LISTS[name].items():
        with pytest.raises(BadInputError) as refused:
            open_source("celeba", fill(it, {f"list_{name}": text}))
        assert refused.value.message.startswith(f'"list_{name}" in "{it}" ')
        assert why in refused.value.message
        assert str(refused.value.hint).startswith("fetch it again")


def test_a_list_that_nobody_needs_takes_no_more_than_a_few_pictures_away(tmp_path: Path) -> None:
    """So many, in the middle of a set, may be unusable (`skipping.TOLERATED`)."""
    names = [f"{number:06d}.jpg" for number in range(1, 41)]
    attributes = {"list_attr_celeba.txt": official(dict.fromkeys(names, (0, 1, 0))), **dict.fromkeys(names, b"x")}
    for lost in (10, 11):
        rows = {"list_eval_partition.txt": "".join(f"{name} 0\n" for name in names[lost:]).encode()}
        path = fill(tmp_path / f"{lost}", {**attributes, **rows})
        if lost <= skipping.TOLERATED:
            assert open_source("celeba", path).skipped == {skipping.NO_ROW: lost}
            continue
        with pytest.raises(BadInputError, match=r'"list_eval_partition.txt" .* no row for 11 of 40') as refused:
            open_source("celeba", path)
        assert "take it away" in str(refused.value.hint)


def test_the_real_faces_have_their_true_attributes(shared: Path, tmp_path: Path) -> None:
    """By the counts that are published of them, and against the csv module's reading of the same list."""
    faces = shared / "celeba_test_faces"
    source = open_source("celeba", faces)
    assert len(source.items) == 17_476
    assert dict(source.skipped) == {}
    known = {"Smiling": 9_121, "Eyeglasses": 918, "Blond_Hair": 2_347, "Male": 6_521}
    for column, count in known.items():
        at = source.columns.index(column)
        assert sum(item.values[at] for item in source.items) == count
    with (faces / "list_attr_celeba.csv").open(newline="") as file:
        rows = {row.pop("image_id"): row for row in csv.DictReader(file)}
    assert source.columns == tuple(rows["182638.jpg"])
    for item in source.items[::97]:
        assert item.values == tuple(value == "1" for value in rows[item.name].values())
    shutil.copy(faces / "list_attr_celeba.csv", tmp_path)
    with pytest.raises(BadInputError, match="no pictures"):
        open_source("celeba", tmp_path)
