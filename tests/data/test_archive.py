"""Folders, zip and tar archives give the same files, and nothing in them reaches anything else."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from facegan.data import archive, skipping
from facegan.data.archive import open_archive, tars
from facegan.data.skipping import Skip
from facegan.errors import BadInputError
from tests.data.hostile import colours, encoded, fill, jpeg

Make: TypeAlias = Callable[[Path, Mapping[str, bytes]], Path]
FILES = {"b/two.jpg": b"2" * 5_000, "a.jpg": bytes(range(256)) * 40, "b/deep/er/ünï.png": b"three"}


def zipped(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return path


def tarred(path: Path, files: Mapping[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as made:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return path


def contents(path: Path, work: Path) -> dict[str, bytes]:
    listing = open_archive(path)
    there = pickle.loads(pickle.dumps(listing.archive.unpacked(work)))
    return {entry.name: there.read(entry.at) for entry in listing.entries}


@pytest.mark.parametrize("kind", ["folder", "zip", "stored", "tar", "gzip"])
def test_all_kinds_give_the_same_files(kind: str, tmp_path: Path) -> None:
    """Whatever the archive is called."""
    path = tmp_path / "it"
    make = {
        "folder": lambda: fill(path, FILES),
        "zip": lambda: zipped(path, FILES),
        "stored": lambda: zipped(path, FILES, zipfile.ZIP_STORED),
        "tar": lambda: tarred(path, FILES),
        "gzip": lambda: tarred(path, FILES, "w:gz"),
    }
    make[kind]()
    assert contents(path, tmp_path) == FILES
    assert dict(open_archive(path).skipped) == {}
    if kind == "gzip":  # where it is not unpacked, it can still be read
        listing = open_archive(path)
        assert {entry.name: listing.archive.read(entry.at) for entry in listing.entries} == FILES


def test_a_zip_behind_other_bytes_is_no_zip_and_one_with_long_extra_fields_is(tmp_path: Path) -> None:
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w") as made, made.open(zipfile.ZipInfo("big.jpg"), "w", force_zip64=True) as file:
        file.write(b"big")
    assert contents(path, tmp_path) == {"big.jpg": b"big"}


def dotted(kind: str, path: Path) -> Path:
    """`tar cf it.tar .`, its packed kind, or a zip, whose names begin as the program that made them likes."""
    if kind == "zip":
        return zipped(path, {"./b\\two.jpg": FILES["b/two.jpg"], ".\\a.jpg": FILES["a.jpg"], "b\\deep\\": b""})
    folder = fill(path.with_name("folder"), {"a.jpg": FILES["a.jpg"], "b/two.jpg": FILES["b/two.jpg"]})
    subprocess.run(["tar", "czf" if kind == "gzip" else "cf", path, "-C", folder, "."], check=True)
    return path


@pytest.mark.parametrize("kind", ["zip", "tar", "gzip"])
def test_a_path_is_the_same_however_its_archive_writes_it(kind: str, tmp_path: Path) -> None:
    path = dotted(kind, tmp_path / "it")
    assert contents(path, tmp_path) == {name: FILES[name] for name in ("a.jpg", "b/two.jpg")}
    assert dict(open_archive(path).skipped) == {}


@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_path_outside_is_refused_however_it_is_written(make: Make, tmp_path: Path) -> None:
    inside = {".//etc/root.jpg": "etc/root.jpg", "a/./b//c.jpg": "a/b/c.jpg", ".hidden/d.jpg": ".hidden/d.jpg"}
    outside = ("./../up.jpg", ".\\..\\up.jpg", "a/./../../up.jpg", "//server/up.jpg", "\\root.jpg", "./C:\\up.jpg")
    path = make(tmp_path / "it", dict.fromkeys([*inside, *outside, "."], b"x"))
    assert [entry.name for entry in open_archive(path).entries] == list(inside.values())
    assert open_archive(path).skipped == {skipping.OUTSIDE: len(outside), skipping.UNNAMEABLE: 1}


def test_hostile_zip_entries_are_counted_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "made.zip"
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    device = zipfile.ZipInfo("device.jpg")
    device.external_attr = (stat.S_IFCHR | 0o666) << 16
    with zipfile.ZipFile(path, "w") as made:
        for name in ("../up.jpg", "a/../../up.jpg", "/etc/root.jpg", "C:\\windows.jpg", "..\\up.jpg", "C:drive.jpg"):
            made.writestr(name, b"x")
        made.writestr(link, "/etc/passwd")
        made.writestr(device, b"")
        made.writestr("new\nline.jpg", b"x")
        made.writestr("nameless.jpg", b"x")
        made.infolist()[-1].filename = ""
        made.writestr("folder/", b"")
        made.writestr("twice.jpg", b"first")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("twice.jpg", b"second")
        made.writestr(zipfile.ZipInfo("other.jpg"), b"x" * 100, compress_type=zipfile.ZIP_LZMA)
        made.writestr("good.jpg", b"good")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"good.jpg") - 46  # of the entry in the central directory
    listing = open_archive(path)
    assert listing.skipped == {
        skipping.OUTSIDE: 6,
        skipping.LINK: 1,
        skipping.SPECIAL: 1,
        skipping.UNNAMEABLE: 2,
        skipping.TWICE: 1,
        skipping.PACKING: 1,
    }
    assert contents(path, tmp_path) == {"twice.jpg": b"second", "good.jpg": b"good"}
    data[at + 8] |= 1  # the flag that says it is encrypted
    path.write_bytes(data)
    assert open_archive(path).skipped[skipping.ENCRYPTED] == 1


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_hostile_tar_entries_are_counted_and_not_read(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "made"
    with tarfile.open(path, mode) as made:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo("special.jpg")
            member.type, member.linkname = kind, "/etc/passwd"
            made.addfile(member)
        for name in ("../up.jpg", "/etc/root.jpg", "good.jpg"):
            member = tarfile.TarInfo(name)
            member.size = 4
            made.addfile(member, io.BytesIO(b"good"))
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        made.addfile(folder)
    assert open_archive(path).skipped == {skipping.LINK: 2, skipping.SPECIAL: 3, skipping.OUTSIDE: 2}
    assert contents(path, tmp_path) == {"good.jpg": b"good"}


def test_links_and_pipes_in_a_folder(tmp_path: Path) -> None:
    folder = fill(tmp_path / "it", {"a.jpg": b"a", "sub/b.jpg": b"b"})
    outside = fill(tmp_path / "outside", {"c.jpg": b"c"})
    (folder / "to-file.jpg").symlink_to(outside / "c.jpg")
    (folder / "to-folder").symlink_to(outside)
    (folder / "to-itself").symlink_to(folder)
    (folder / "to-nothing.jpg").symlink_to(tmp_path / "nothing")
    os.mkfifo(folder / "pipe.jpg")
    assert contents(folder, tmp_path) == {"a.jpg": b"a", "sub/b.jpg": b"b", "to-file.jpg": b"c"}
    assert open_archive(folder).skipped == {skipping.LINK: 2, skipping.UNREADABLE: 1, skipping.SPECIAL: 1}


def read_one(path: Path, work: Path) -> str:
    (entry,) = open_archive(path).entries
    with pytest.raises(Skip) as skip:
        open_archive(path).archive.unpacked(work).read(entry.at)
    return skip.value.reason


@pytest.mark.parametrize("now", [b"", b"short", b"as long now", b"longer than it was when it was listed"])
def test_a_file_that_changed_since_it_was_listed_is_read_to_its_end(now: bytes, tmp_path: Path) -> None:
    (tmp_path / "it.jpg").write_bytes(b"as long was")
    listing = archive.open_archive(tmp_path)
    (tmp_path / "it.jpg").write_bytes(now)
    assert listing.archive.read(listing.entries[0].at) == now


def test_a_file_that_grows_too_large_is_never_read(tmp_path: Path) -> None:
    large = {"bomb.jpg": bytes(archive.LARGEST_FILE + 1)}
    packed = zipped(tmp_path / "zip", large)
    assert packed.stat().st_size < archive.LARGEST_FILE / 500
    assert read_one(packed, tmp_path) == skipping.TOO_LARGE
    assert read_one(fill(tmp_path / "folder", large), tmp_path) == skipping.TOO_LARGE
    assert read_one(tarred(tmp_path / "tar", large), tmp_path) == skipping.TOO_LARGE


def test_a_zip_that_lies_about_its_sizes_is_read_no_further_than_it_says(tmp_path: Path) -> None:
    path = zipped(tmp_path / "made.zip", {"a.jpg": bytes(10**7)})
    data = path.read_bytes()
    path.write_bytes(data.replace((10**7).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    assert read_one(path, tmp_path) == skipping.BROKEN


def test_damage_inside_an_archive_is_noticed(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = zipped(tmp_path / "made.zip", {"a.jpg": os.urandom(1_000)}, method)
        data = bytearray(path.read_bytes())
        data[500] ^= 1
        path.write_bytes(data)
        assert read_one(path, tmp_path) == skipping.BROKEN
    assert read_one(zipped(tmp_path / "empty.zip", {"a.jpg": b""}), tmp_path) == skipping.EMPTY


@pytest.mark.parametrize("kind", ["zip", "tar", "gzip"])
def test_an_archive_that_is_cut_short_is_refused_as_a_whole(kind: str, tmp_path: Path) -> None:
    files = {f"{number}.jpg": os.urandom(2_000) for number in range(20)}
    make = {"zip": zipped, "tar": tarred, "gzip": lambda *given: tarred(*given, mode="w:gz")}[kind]
    path = make(tmp_path / "made", files)
    data = path.read_bytes()
    for part in (0.02, 0.3, 0.5, 0.99 if kind != "tar" else 0.7):
        path.write_bytes(data[: int(len(data) * part)])
        with pytest.raises(BadInputError, match="neither a folder nor a whole"):
            open_archive(path)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"hello", bytes(3_000), b"PK\x03\x04" + bytes(100), b"\x1f\x8b" + bytes(100), os.urandom(5_000)):
        path = tmp_path / "made"
        path.write_bytes(data)
        if data == bytes(3_000):
            assert open_archive(path).entries == ()  # an empty tar archive
        else:
            with pytest.raises(BadInputError, match="neither a folder nor a whole"):
                open_archive(path)
    with pytest.raises(BadInputError, match="there is no file or folder"):
        open_archive(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (lzma.compress(b"x"), "unpack it, and give the folder"),
        (bz2.compress(b"x"), "unpack it, and give the folder"),
        (b"7z\xbc\xaf\x27\x1c", "unpack it, and give the folder"),
        (jpeg(1), "give its folder: "),
        (encoded(colours(1)), "give its folder: "),
        (encoded(colours(1), "WEBP"), "give its folder: "),
        (b"<html>Quota exceeded</html>", "fetch it again"),
    ],
    ids=["xz", "bz2", "7z", "jpeg", "png", "webp", "page"],
)
def test_what_is_no_archive_is_told_what_to_do_with_it(data: bytes, hint: str, tmp_path: Path) -> None:
    path = fill(tmp_path, {"it": data}) / "it"
    with pytest.raises(BadInputError) as refused:
        open_archive(path)
    assert refused.value.hint == (f'{hint}"{tmp_path}"' if hint.endswith(" ") else hint)


def test_a_packed_archive_that_grows_without_measure_is_refused(tmp_path: Path) -> None:
    """One gigabyte is allowed to any; this one says it has a file of a terabyte, and is a few megabytes."""
    member = tarfile.TarInfo("bomb.jpg")
    member.size = 10**12
    path = tmp_path / "made.tar.gz"
    zeros = gzip.compress(bytes(2**24), 1)
    path.write_bytes(gzip.compress(member.tobuf()) + zeros * 4)
    with pytest.raises(BadInputError, match="would grow to more than"):
        open_archive(path)
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 2**31
    path.write_bytes(gzip.compress(header.tobuf()) + zeros * 4)
    with pytest.raises(BadInputError, match="has a header of"):
        open_archive(path)


def test_unpacking_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tarred(tmp_path / "made.tar.gz", FILES, "w:gz")
    (tmp_path / "unpacked.partial").write_bytes(b"what a kill left")
    listing = open_archive(path)
    unpacked = listing.archive.unpacked(tmp_path)
    made = (tmp_path / tars.UNPACKED).stat().st_mtime_ns
    assert unpacked == listing.archive.unpacked(tmp_path)
    assert (tmp_path / tars.UNPACKED).stat().st_mtime_ns == made
    assert not (tmp_path / "unpacked.partial").exists()


def test_listing_a_large_tar_holds_one_header_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys, resource; from pathlib import Path; from facegan.data.archive import tars\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "count = sum(1 for _ in tars.Tar(Path(sys.argv[1])).entries())\n"
        "print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    path = tarred(tmp_path / "made.tar", {f"{number:06d}.jpg": b"x" for number in range(10_000)})
    found = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    count, grown = map(int, found.stdout.split())
    assert count == 10_000
    assert grown < 4_000  # kB; 10,000 members of tarfile are 10,000
