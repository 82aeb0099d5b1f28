"""Preparing that is killed ends with the same bytes, and makes nothing twice."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from facegan.data import preparing, readers, unfinished
from facegan.data.preparing import Options, prepare
from facegan.data.rendering import Rendering
from facegan.data.source import Item, Source
from facegan.data.sources import open_source
from tests.data.hostile import Memory, colours, encoded, fill
from tests.data.test_preparing import environment, files_of, made
from tests.waiting import until

KILLED = """
import os, signal, sys
from pathlib import Path
from facegan.data import preparing, unfinished
from facegan.data.sources import open_source
path, into, domains, most = sys.argv[1:]
real = unfinished.Unfinished.commit
def commit(self, record):
    real(self, record)
    if record.rows > int(most):
        os.kill(os.getpid(), signal.SIGSTOP)  # here it is killed, however fast it is
if __name__ == "__main__":
    preparing.COMMIT_S = 0.03
    unfinished.Unfinished.commit = commit
    options = preparing.Options(name="it", size=32, domains=domains or None)
    source = open_source("celeba", Path(path))
    preparing.prepare(options, source, Path(into), lambda line: print(line, flush=True), processes=2)
    print("done", flush=True)
"""


@pytest.mark.parametrize("domains", ["", "Wearing_Hat"])
def test_killed_again_and_again_it_ends_with_the_same_bytes(domains: str, shared: Path, tmp_path: Path) -> None:
    """A real process, killed with its work half done; each time it is found further on, and its readers end."""
    faces = subset(shared, tmp_path / "faces")
    untouched = tmp_path / "untouched"
    source = open_source("celeba", faces)
    expected = prepare(Options(name="it", size=32, domains=domains or None), source, untouched, lambda _: None)
    into = tmp_path / "killed"
    (tmp_path / "run.py").write_text(KILLED)
    command = [sys.executable, str(tmp_path / "run.py"), str(faces), str(into), domains]
    rows = [0]
    for _ in range(3):
        process = subprocess.Popen(
            [*command, str(rows[-1])],
            stdout=subprocess.DEVNULL,
            cwd=tmp_path,
            env=environment(),
            start_new_session=True,
        )
        while process.poll() is None and committed(into) <= rows[-1]:
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -signal.SIGKILL, "it was done before it was killed"
        rows.append(committed(into))
        until(functools.partial(all_gone, process.pid))
    assert rows == sorted(set(rows))
    subprocess.run([*command, "800"], stdout=subprocess.DEVNULL, cwd=tmp_path, env=environment(), check=True)
    assert files_of(into) == files_of(untouched)
    assert sorted(path.name for path in into.iterdir()) == ["attributes.csv", "images.npy"]
    assert prepare(Options(name="it", size=32, domains=domains or None), source, into, lambda _: None) == expected


def committed(into: Path) -> int:
    """How many pictures unfinished work has kept so far."""
    for record in into.glob(".preparing-*/progress.json"):
        return int(json.loads(record.read_bytes())["rows"])
    return 0


def subset(shared: Path, folder: Path) -> Path:
    """The first of the real faces, some of them broken, in a folder as Kaggle has it."""
    faces = shared / "celeba_test_faces"
    source = open_source("celeba", faces)
    for number, item in enumerate(source.items[:800]):
        data = bytes(source.picture(item))
        fill(folder, {item.name: data[: len(data) // 3] if number % 100 == 7 else data})
    (folder / "list_attr_celeba.csv").symlink_to(faces / "list_attr_celeba.csv")
    return folder


def all_gone(session: int) -> bool:
    """Whether no process of a session is left."""
    return not any(path.name.isdigit() and session_of(path) == session for path in Path("/proc").iterdir())


def session_of(process: Path) -> int | None:
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[3]) if fields[0] not in "ZX" else None


def test_killed_at_any_write_it_ends_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step that touches the disk is the last one once; torn writes as well. What is done is not made again."""
    source = Memory({f"{n:02d}": b"" if n % 5 == 4 else encoded(colours(n)) for n in range(16)})
    monkeypatch.setattr(preparing, "COMMIT_S", 0.0)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a process that dies takes no written byte with it
    monkeypatch.setattr(preparing, "readers", here)
    expected = made(source, tmp_path / "untouched")[0]
    steps = done = 0
    while True:
        into, steps = tmp_path / f"at-{steps}", steps + 1
        with pytest.MonkeyPatch.context() as patch:
            left = Left(steps)
            for owner, name in ((unfinished.Unfinished, "append"), (unfinished, "_sync"), (Path, "replace")):
                patch.setattr(owner, name, left.around(getattr(owner, name)))
            patch.setattr(unfinished.shutil, "rmtree", left.around(unfinished.shutil.rmtree))
            try:
                made(source, into)
            except Killed:
                pass
            else:
                break
        with pytest.MonkeyPatch.context() as patch:
            if any(json.loads(record.read_bytes())["done"] for record in into.glob(".preparing-*/progress.json")):
                done += 1
                patch.setattr(unfinished.Unfinished, "append", lambda *_: pytest.fail("it is made again"))
            else:
                tear(into)
            assert made(source, into)[0] == expected
    assert steps > 60
    assert done >= 3  # before either file has moved, and when both have


def tear(into: Path) -> None:
    """Leave a part of an image behind those that count."""
    for images in into.glob(".preparing-*/images.npy"):
        with images.open("ab") as file:
            file.write(b"torn")


class Killed(BaseException):
    """The process ended here."""


class Left:
    """So many steps may be made."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def around(self, real: object) -> object:
        def step(*given: object, **named: object) -> object:
            self.steps -= 1
            if self.steps < 0:
                raise Killed
            return real(*given, **named)

        return step


class Here:
    """Readers that are this process: what is tested with them are not they."""

    def outcomes(self, items: Iterable[Item]) -> Iterator[tuple[Item, readers.Outcome]]:
        return ((item, readers._outcome(item)) for item in items)


@contextlib.contextmanager
def here(source: Source, rendering: Rendering, *_: object) -> Iterator[Here]:
    readers._Work.source, readers._Work.rendering = source, rendering
    yield Here()
