"""What a store of files promises beyond the port: atomic, durable, and honest about its disk."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from facegan.errors import BadInputError, UnreachableError
from facegan.storage import NotFoundError, RefusedError, open_store
from facegan.storage.file import INCOMING, FileStore
from tests.fakes.disks import tiny_disk

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "store")


def files(store: FileStore) -> list[Path]:
    return [path for path in store.root.rglob("*") if path.is_file()]


# Atomic

WRITER = """
import sys
from facegan.storage import open_store
store = open_store(sys.argv[1])
print("begins", flush=True)
for number in range(1_000_000):
    data = (b"%06d" % (number % 1_000_000)) * 20_000
    store.put("over", data)
    store.put_new(f"new/{number}", data)
    print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_whole_objects_and_all_it_acknowledged(store: FileStore) -> None:
    dice = random.Random(0)
    for _ in range(8):
        shutil.rmtree(store.root, ignore_errors=True)
        acknowledged = write_and_be_killed(store.url, dice.uniform(0.0, 0.08))
        fresh = FileStore(store.root)
        keys = list(fresh.list(""))
        for key in keys:
            data = fresh.get(key)
            assert len(data) == 120_000
            assert data == data[:6] * 20_000
        assert {f"new/{number}" for number in range(acknowledged)} <= set(keys)
        assert not any(INCOMING in key for key in keys)


def write_and_be_killed(url: str, after_s: float) -> int:
    """How many pairs of writes were acknowledged by a process that was killed so late after its first."""
    with subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, cwd=ROOT, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begins\n"
        time.sleep(after_s)
        writer.send_signal(signal.SIGKILL)
        return len([line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")])


@pytest.mark.parametrize("verb", ["put", "put_new"])
@pytest.mark.parametrize("call", ["os.fsync", "os.link", "pathlib.Path.replace"])
def test_killed_between_write_and_name_no_object_is_visible(
    store: FileStore, monkeypatch: pytest.MonkeyPatch, verb: str, call: str
) -> None:
    class Killed(BaseException):
        pass

    def die(*_arguments: object) -> None:
        raise Killed

    store.put("before", b"1")
    monkeypatch.setattr(call, die)
    with contextlib.suppress(Killed):
        getattr(store, verb)("after", b"2")
        assert call == {"put": "os.link", "put_new": "pathlib.Path.replace"}[verb]  # which that verb has no use for
        return
    assert list(store.list("")) == ["before"]


# Durable


@pytest.fixture
def calls(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the store asks of the operating system, in its order, with paths below its root."""
    made: list[str] = []
    fsync, link, replace, mkdir = os.fsync, os.link, Path.replace, Path.mkdir

    def shown(path: str | Path) -> str:
        below = Path(path).relative_to(store.root.parent)
        return str(below.parent / "<written>") if below.parent.name == INCOMING else str(below)

    def record_fsync(handle: int) -> None:
        made.append(f"fsync {shown(Path(f'/proc/self/fd/{handle}').readlink())}")
        fsync(handle)

    def record_link(source: Path, target: Path) -> None:
        made.append(f"link {shown(source)} {shown(target)}")
        link(source, target)

    def record_replace(source: Path, target: Path) -> Path:
        made.append(f"rename {shown(source)} {shown(target)}")
        return replace(source, target)

    def record_mkdir(path: Path, **how: bool) -> None:
        made.append(f"mkdir {shown(path)}")
        mkdir(path, **how)

    monkeypatch.setattr("os.fsync", record_fsync)
    monkeypatch.setattr("os.link", record_link)
    monkeypatch.setattr(Path, "replace", record_replace)
    monkeypatch.setattr(Path, "mkdir", record_mkdir)
    return made


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
NEW_FOLDERS = [
    "mkdir store",
    "fsync .",
    "mkdir store/.incoming",
    "fsync store",
    "fsync store/.incoming/<written>",
    "mkdir store/a",
    "fsync store",
]


@on_linux
def test_put_new_is_durable_before_it_is_named_and_named_before_it_is_acknowledged(
    store: FileStore, calls: list[str]
) -> None:
    store.put_new("a/b", b"1")
    assert calls == [*NEW_FOLDERS, "link store/.incoming/<written> store/a/b", "fsync store/a"]


@on_linux
def test_put_is_durable_before_it_is_named_and_named_before_it_is_acknowledged(
    store: FileStore, calls: list[str]
) -> None:
    store.put("a/b", b"1")
    assert calls == [*NEW_FOLDERS, "rename store/.incoming/<written> store/a/b", "fsync store/a"]
    calls.clear()
    store.put("a/b", b"2")
    assert calls == [
        "fsync store/.incoming/<written>",
        "rename store/.incoming/<written> store/a/b",
        "fsync store/a",
    ]


@on_linux
def test_a_delete_is_durable_before_it_is_acknowledged(store: FileStore, calls: list[str]) -> None:
    store.put("a/b", b"1")
    calls.clear()
    store.delete("a/b")
    assert calls == ["fsync store/a"]


def test_nothing_is_left_over_by_what_succeeded_or_lost_a_race(store: FileStore) -> None:
    store.put("a", b"1")
    store.put("a", b"2")
    store.put_new("b", b"1")
    store.put_new("b", b"2")
    assert [path.name for path in files(store)] == ["a", "b"] or len(files(store)) == 2


# Disks that are full, gone, read-only, or of a kind that cannot do it


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK])
def test_a_file_system_without_hard_links_is_refused_by_name(
    store: FileStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def link(_source: Path, _target: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.link", link)
    with pytest.raises(RefusedError, match="has no hard links") as refused:
        store.put_new("a/b", b"1")
    assert str(store.root) in refused.value.message
    assert "--store" in str(refused.value.hint)
    assert list(store.list("")) == []
    assert files(store) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("verb", ["put", "put_new"])
def test_a_full_disk_is_told_and_nothing_is_harmed(
    store: FileStore, monkeypatch: pytest.MonkeyPatch, verb: str, number: int
) -> None:
    store.put("before", b"1")

    def fsync(_handle: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", fsync)
        with pytest.raises(UnreachableError, match="is full"):
            getattr(store, verb)("before" if verb == "put" else "after", b"2")
    assert list(store.list("")) == ["before"]
    assert store.get("before") == b"1"
    assert len(files(store)) == 1


def test_a_really_full_disk_is_told_and_nothing_is_harmed(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "tiny", size_kib=256):
        store = FileStore(tmp_path / "tiny" / "store")
        store.put("before", b"1")
        for verb in (store.put, store.put_new):
            with pytest.raises(UnreachableError, match="is full"):
                verb("after", b"2" * 500_000)
        assert list(store.list("")) == ["before"]
        assert len(files(store)) == 1
        store.put("after", b"it is not full any more")


def test_no_right_to_write_is_a_refusal(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(_source: Path, _target: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(RefusedError, match='no right to use "a"'):
        store.put("a", b"1")


def test_a_disk_that_fails_is_unreachable(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("a", b"1")

    def fstat(_handle: int) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr("os.fstat", fstat)
        with pytest.raises(UnreachableError, match="does not answer"):
            store.get("a")


def test_a_store_nobody_has_written_to_is_empty(store: FileStore) -> None:
    assert list(store.list("")) == []
    assert list(store.folders("runs/")) == []
    store.delete("a")
    with pytest.raises(NotFoundError):
        store.get("a")
    assert not store.root.exists()


def everything(store: FileStore) -> list[Callable[[], object]]:
    return [
        lambda: store.get("a"),
        lambda: store.list(""),
        lambda: store.list("runs/"),
        lambda: store.folders("runs/"),
        lambda: store.put("a", b""),
        lambda: store.put_new("a", b""),
    ]


def test_a_disk_that_is_not_mounted_says_nothing_about_its_objects(tmp_path: Path) -> None:
    for ask in everything(FileStore(tmp_path / "not mounted" / "store"))[:4]:
        with pytest.raises(UnreachableError):
            ask()


def test_a_disk_that_goes_away_says_nothing_about_its_objects_and_is_not_written_to(store: FileStore) -> None:
    store.put("a", b"1")
    store.root.rename(store.root.parent / "gone")
    for ask in everything(store):
        with pytest.raises(UnreachableError):
            ask()
    assert not store.root.exists()
    (store.root.parent / "gone").rename(store.root)
    assert store.get("a") == b"1"


# Keys that a folder cannot hold


def test_an_object_cannot_be_a_folder_of_another(store: FileStore) -> None:
    store.put("object", b"1")
    store.put("folder/object", b"1")
    for key in ("object/below", "object/below/deep", "folder"):
        with pytest.raises(RefusedError, match=f'"{key}"'):
            store.put(key, b"2")
        with pytest.raises(RefusedError, match=f'"{key}"'):
            store.put_new(key, b"2")
    assert list(store.list("")) == ["folder/object", "object"]
    assert len(files(store)) == 2


def test_a_name_too_long_for_a_file_is_bad_input(store: FileStore) -> None:
    store.put("a/b", b"1")
    key = "a/" + "l" * 300
    for use in (store.get, lambda k: store.put(k, b""), lambda k: store.put_new(k, b""), store.delete):
        with pytest.raises(BadInputError, match="too long"):
            use(key)


# URLs


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///a/b", "/a/b"),
        ("file:///a/b/", "/a/b"),
        ("file://localhost/a", "/a"),
        ("file:///with%20space/%C3%A9", "/with space/é"),
        ("file:///with space", "/with space"),
    ],
)
def test_a_url_names_a_folder(url: str, path: str) -> None:
    store = open_store(url)
    assert isinstance(store, FileStore)
    assert store.root == Path(path)
    assert open_store(store.url).url == store.url


@pytest.mark.parametrize("url", ["file://relative/path", "file://host/path", "file:/a", "file:", "file://"])
def test_a_url_that_names_no_folder_is_bad_input(url: str) -> None:
    with pytest.raises(BadInputError, match=url):
        open_store(url)


@pytest.mark.parametrize("url", ["ftp://host/a", "nonsense", "", "://", "FILE:///a", "/absolute/path"])
def test_an_unknown_kind_of_store_is_bad_input_and_the_known_ones_are_listed(url: str) -> None:
    with pytest.raises(BadInputError, match=f'"{url}"') as refused:
        open_store(url)
    assert "file://, memory://" in str(refused.value.hint)
