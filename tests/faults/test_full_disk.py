"""A session whose disk really fills up while it trains, and is emptied again."""

from __future__ import annotations

from pathlib import Path

from facegan.errors import SessionExit
from facegan.storage.file import FileStore
from tests.fakes.disks import tiny_disk
from tests.fakes.driving import Session, assert_untouched, begun


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


def test_training_waits_out_a_full_disk_and_ends_like_an_untouched_run(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "tiny", size_kib=1024):
        store = Filling(tmp_path / "tiny" / "store")
        begun("file", store.root)
        session = Session(store=store, holder="first", number=1, sleep=store.wait)
        assert session.run() is SessionExit.FINISHED
        assert store.refused >= 3
        assert any("is full" in line for line in session.said)
        assert_untouched(store)
