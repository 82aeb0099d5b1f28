"""A session whose disk really fills up while it trains, and is emptied again."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from facegan.errors import SessionExit
from facegan.storage.file import FileStore
from tests.fakes.driving import Session, assert_untouched, begun


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MiB, where this process may mount one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("no right to mount a file system here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


class Filling(FileStore):
    """A store beside which somebody else fills the disk, and makes room again after so many waits."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.other = root.parent / "somebody-else-s"
        self.refused = 0

    def put(self, key: str, data: bytes) -> None:
        if "/10-1/state" in key and self.refused == 0:
            self.fill()
        super().put(key, data)

    def fill(self) -> None:
        with self.other.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)) == 4096:
                    pass
            except OSError:
                return

    def wait(self, _seconds: float) -> None:
        self.refused += 1
        if self.refused == 3:
            self.other.unlink()


def test_training_waits_out_a_full_disk_and_ends_like_an_untouched_run(tiny_disk: Path) -> None:
    store = Filling(tiny_disk / "store")
    begun("file", store.root)
    session = Session(store=store, holder="first", number=1, sleep=store.wait)
    assert session.run() is SessionExit.FINISHED
    assert store.refused >= 3
    assert any("is full" in line for line in session.said)
    assert_untouched(store)
