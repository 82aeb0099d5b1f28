"""What is prepared is right, and the same however it was made."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facegan
from facegan import prepared
from facegan.data import preparing, skipping, unfinished
from facegan.data.preparing import Options, prepare
from facegan.data.source import Source
from facegan.data.sources import open_source
from facegan.errors import BadInputError, FaceganError
from facegan.prepared import Manifest
from tests.data.hostile import SIDE, Memory, colours, encoded, fill, jpeg
from tests.data.test_archive import tarred, zipped

REPOSITORY = Path(__file__).parents[2]


def made(
    source: Source, into: Path, *, processes: int = 1, **asked: object
) -> tuple[Manifest, np.ndarray, list[list[str]]]:
    """Prepare, and read what was made by other means."""
    manifest = prepare(Options(name="it", **asked), source, into, lambda _: None, processes=processes)
    assert sorted(path.name for path in into.iterdir()) == ["attributes.csv", "images.npy"]
    images = np.load(into / "images.npy", mmap_mode="r")
    with (into / "attributes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert images.dtype == np.uint8
    assert images.shape == (manifest.count, manifest.height, manifest.width, manifest.channels)
    assert len(rows) == manifest.count + 1
    whole = (into / "images.npy").read_bytes() + (into / "attributes.csv").read_bytes()
    assert manifest.digest == hashlib.sha256(whole).hexdigest()
    return manifest, images, rows


def files_of(into: Path) -> tuple[bytes, bytes]:
    return (into / "images.npy").read_bytes(), (into / "attributes.csv").read_bytes()


def test_real_faces_are_what_pillow_makes_of_them(shared: Path, tmp_path: Path) -> None:
    """And the same with one process, with two, and as any kind of archive."""
    source = open_source("celeba", shared / "celeba_test_faces")
    manifest, images, rows = made(source, tmp_path / "one", size=48, crop="reference", limit=300)
    assert (manifest.count, manifest.shape) == (300, (48, 48, 3))
    assert rows[0] == ["name", *source.columns]
    for item, image, row in list(zip(source.items, images, rows[1:], strict=False))[::29]:
        face = Image.open(io.BytesIO(bytes(source.picture(item))))
        box = tuple(edge * 128 / whole for edge, whole in zip((30, 55, 150, 175), (178, 218) * 2, strict=True))
        plain = face.resize((48, 48), Image.Resampling.BICUBIC, box=box)
        assert np.abs(image.astype(int) - np.asarray(plain)).mean() < 1
        assert row == [item.name, *map(str, item.values)]
    two, _, _ = made(source, tmp_path / "two", processes=2, size=48, crop="reference", limit=300)
    assert two == manifest
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_the_kind_of_archive_changes_no_byte(tmp_path: Path) -> None:
    files = {f"{number:02d}.jpg": jpeg(number, 60, 80) for number in range(40)}
    of = {
        "folder": fill(tmp_path / "it", files),
        "zip": zipped(tmp_path / "it.zip", files),
        "tar": tarred(tmp_path / "it.tar", files),
        "tar.gz": tarred(tmp_path / "it.tar.gz", files, "w:gz"),
    }
    assert (
        len({made(open_source("it", path), tmp_path / f"to-{kind}", size=32)[0].digest for kind, path in of.items()})
        == 1
    )


def test_the_table_and_the_manifest_say_what_there_is(tmp_path: Path) -> None:
    files = {f'{label}/odd, "{n}".jpg': jpeg(n) for label in ("no", "yes") for n in range(3)}
    source = open_source("it", fill(tmp_path / "it", files | {"notes.txt": b"x", "yes/broken.png": jpeg(1)[:300]}))
    manifest, _, rows = made(source, tmp_path / "out", size=None, limit=50, origin="six pictures")
    assert rows == [["name", "label"], *([name, str(int(name[0] == "y"))] for name in sorted(files))]
    assert manifest.skipped == {skipping.OTHER_FILE: 1, skipping.BROKEN: 1}
    assert manifest.columns == ("label",)
    assert (manifest.limit, manifest.size, manifest.crop, manifest.domains) == (50, None, "none", None)
    assert (manifest.source, manifest.code, manifest.name) == ("six pictures", facegan.__version__, "it")
    final = prepared.install(tmp_path / "out", manifest, tmp_path / "home")
    assert prepared.verify(final) == []
    assert prepared.read_local(final) == manifest


def test_the_limit_counts_good_ones(tmp_path: Path) -> None:
    files = {f"{n:03d}": b"" if n in {0, 3} else encoded(colours(n)) for n in range(200)}
    manifest, _, rows = made(Memory(files), tmp_path / "out", limit=5)
    assert [row[0] for row in rows[1:]] == ["001", "002", "004", "005", "006"]
    assert manifest.skipped == {skipping.EMPTY: 2}


def test_an_attribute_fills_half_and_the_sides_take_turns(tmp_path: Path) -> None:
    """So that any first part is half and half; what is broken is replaced by the next of its side."""
    having = {n: n % 7 == 3 for n in range(120)}
    broken = {3, 0, 10}
    files = {f"{n:03d}": b"" if n in broken else encoded(colours(n)) for n in having}
    source = Memory(files, {f"{n:03d}": (int(has),) for n, has in having.items()})
    rare = [f"{n:03d}" for n in having if having[n] and n not in broken]
    others = [f"{n:03d}" for n in having if not having[n] and n not in broken][: len(rare)]
    turns = [name for pair in zip(others, rare, strict=True) for name in pair]
    manifest, images, rows = made(source, tmp_path / "all", domains="having")
    assert [row[0] for row in rows[1:]] == turns
    assert [row[1] for row in rows[1:]] == ["0", "1"] * len(rare)
    for name, image in zip(turns, images, strict=True):
        assert np.array_equal(image, np.asarray(colours(int(name))))
    assert manifest.skipped == {skipping.EMPTY: 3}
    assert manifest.domains == "having"
    _, _, limited = made(source, tmp_path / "some", domains="having", limit=9)
    assert [row[0] for row in limited[1:]] == turns[:8]
    with pytest.raises(BadInputError, match='unknown column "Smiling"'):
        made(source, tmp_path / "none", domains="Smiling")
    one_sided = Memory(dict.fromkeys("abc", jpeg(1)), dict.fromkeys("abc", (0,)))
    with pytest.raises(BadInputError, match=r'no picture .*: 0 with "having" and 3 without$') as refused:
        made(one_sided, tmp_path / "none", domains="having")
    assert str(refused.value.hint).startswith("--domains takes a column that some pictures have")
    broken = Memory({"a": b"", "b": b""}, {"a": (0,), "b": (1,)})
    with pytest.raises(BadInputError, match='1 with "having" and 1 without') as refused:
        made(broken, tmp_path / "none", domains="having")
    assert refused.value.hint == "give another folder or archive with --source", "without --domains it would not do"


def test_the_rare_half_of_the_real_faces(shared: Path, tmp_path: Path) -> None:
    source = open_source("celeba", shared / "celeba_test_faces")
    manifest, _, rows = made(source, tmp_path / "out", size=16, domains="Eyeglasses", processes=2)
    assert manifest.count == 2 * 918
    assert [row[1 + source.columns.index("Eyeglasses")] for row in rows[1:]] == ["0", "1"] * 918


def test_pictures_of_other_sizes_are_skipped_where_no_size_is_asked_for(tmp_path: Path) -> None:
    files = {f"{n:02d}": encoded(colours(n, SIDE + (n == 5), SIDE)) for n in range(20)}
    manifest, images, _ = made(Memory(files), tmp_path / "out")
    assert images.shape == (19, SIDE, SIDE, 3)
    assert manifest.skipped == {skipping.OTHER_SIZE: 1}


def test_grey_pixels_stay_grey(tmp_path: Path) -> None:
    digits = {f"{n:02d}": np.full((28, 28, 1), n, np.uint8) for n in range(50)}
    _, images, _ = made(Memory(digits), tmp_path / "out")
    assert images.shape == (50, 28, 28, 1)
    assert (images == np.arange(50)[:, None, None, None]).all()


def test_too_many_faulty_pictures_stop_it_and_few_do_not(tmp_path: Path) -> None:
    def source(bad: int, of: int) -> Memory:
        return Memory({f"{n:04d}": jpeg(1)[:300] if n < bad else jpeg(1) for n in range(of)})

    assert made(source(skipping.TOLERATED, 12), tmp_path / "few")[0].count == 2
    assert made(source(11, 220), tmp_path / "share")[0].skipped == {skipping.BROKEN: 11}
    with pytest.raises(BadInputError, match="12 of 12 pictures cannot be used, more than 5%: 12 broken") as stopped:
        made(source(12, 230), tmp_path / "many")
    assert '"0000" (broken or cut short), "0001" (broken or cut short), "0002" (' in stopped.value.message
    assert list((tmp_path / "many").iterdir()) == [], "it would be refused again"
    with pytest.raises(BadInputError, match='can be used: 3 broken or cut short; the first are "0000" ') as none:
        made(source(3, 3), tmp_path / "none")
    assert none.value.hint == "give another folder or archive with --source"
    with pytest.raises(BadInputError, match=r"no picture .*: there are none$"):
        made(source(0, 0), tmp_path / "nothing")


@pytest.mark.parametrize(
    "asked", [{"size": 0}, {"limit": 0}, {"limit": -1}, {"crop": "centre"}, {"domains": "Smiling", "limit": 1}]
)
def test_senseless_options_are_refused(asked: Mapping[str, object]) -> None:
    with pytest.raises(BadInputError, match=r"must be at least|unknown crop"):
        Options(name="it", **asked)


def test_progress_says_how_many_how_fast_and_how_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "SAY_S", 0.0)
    said: list[str] = []
    files = {f"{n:02d}": b"" if n == 1 else jpeg(n) for n in range(40)}
    prepare(Options(name="it"), Memory(files), tmp_path / "out", said.append, processes=1)
    assert len(said) == 39
    assert said[4].startswith("preparing it: 5 of 40 images, 1 skipped, ")
    assert "images/s, " in said[4]
    assert said[4].endswith(" s to go")


def test_a_full_disk_is_told_and_the_work_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Memory({f"{n:03d}": jpeg(n) for n in range(200)})
    monkeypatch.setattr(preparing, "COMMIT_S", 0.0)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    append = unfinished.Unfinished.append

    def full(self: unfinished.Unfinished, *given: object) -> None:
        if self.record.rows >= 100:
            raise OSError(28, "No space left on device", str(self.folder))
        append(self, *given)

    monkeypatch.setattr(unfinished.Unfinished, "append", full)
    with pytest.raises(FaceganError, match="No space left on device") as told:
        made(source, tmp_path / "out")
    assert "repeat the command" in str(told.value.hint)
    appended: list[int] = []

    def counted(self: unfinished.Unfinished, *given: object) -> None:
        appended.append(1)
        append(self, *given)

    monkeypatch.setattr(unfinished.Unfinished, "append", counted)
    again, _, _ = made(source, tmp_path / "out")
    assert len(appended) == 100
    assert again == made(source, tmp_path / "other")[0]


def test_a_killed_worker_is_told(tmp_path: Path) -> None:
    with pytest.raises(FaceganError, match="a process that reads pictures died"):
        made(Fatal({"it": b""}), tmp_path / "out")


class Fatal(Memory):
    """A source whose pictures kill the process that reads them."""

    def picture(self, _: object) -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b""


def test_other_options_and_other_files_are_other_work(tmp_path: Path) -> None:
    folder = fill(tmp_path / "it", {"a.jpg": jpeg(1), "b.jpg": jpeg(2)})
    keys = set()
    for options in (
        Options(name="it"),
        Options(name="it", size=8),
        Options(name="it", limit=1),
        Options(name="it", crop="center"),
    ):
        keys.add(preparing._key(options, open_source("it", folder)))
    assert preparing._key(Options(name="it", origin="a folder"), open_source("it", folder)) in keys
    os.utime(folder / "a.jpg", ns=(1, 1))
    keys.add(preparing._key(Options(name="it"), open_source("it", folder)))
    (folder / "c.jpg").write_bytes(jpeg(3))
    keys.add(preparing._key(Options(name="it"), open_source("it", folder)))
    assert len(keys) == 6


def test_readers_never_import_tensorflow(tmp_path: Path) -> None:
    spy = Spy({"tensorflow": b"", "keras": b"", "mlflow": b"", "mtcnn": b"", "PIL": b"", "numpy": b""})
    _, images, _ = made(spy, tmp_path / "out")
    assert [bool(image.max()) for image in images] == [False, False, False, False, True, True]


class Spy(Memory):
    """Its pictures are white where the process that reads them has imported the module they are called after."""

    def picture(self, item: object) -> np.ndarray:
        return np.full((SIDE, SIDE, 1), 255 * (item.at in sys.modules), np.uint8)


def test_memory_does_not_grow_with_the_set(tmp_path: Path) -> None:
    """Of this process and of the largest reader: 700 images of 196 kB are 137 MB."""
    code = """
import resource, sys
from pathlib import Path
from facegan.data.preparing import Options, prepare
from tests.data.hostile import Memory, jpeg
whole = jpeg(1, 256, 256)
grown = []
for count in (200, 900):
    source = Memory(dict.fromkeys(map(str, range(count)), whole))
    prepare(Options(name="it", size=256), source, Path(sys.argv[1]), lambda _: None, processes=1)
    grown.append([resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)])
print(*(after - before for before, after in zip(*grown)))
"""
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, env=environment()
    )
    assert max(map(int, found.stdout.split())) < 50_000  # kB


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}
