"""`facegan-job report`: what it writes, says and answers, in processes of its own."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from facegan import layout
from facegan.errors import BadInputError
from facegan.reporting import command
from facegan.storage.base import ObjectStore
from tests.reporting import world as here
from tests.unit.jobs import world

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    code: int
    out: str
    err: str


def report(folder: Path, *arguments: str, **more: str) -> Said:
    """Typed in that folder."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import sys; from jobs.cli import main; main()", "report", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert "this is a defect" not in done.stderr, done.stderr
    return Said(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the user is, with a file that is named like a module."""
    (tmp_path / "random.py").write_text("raise SystemExit('imported by mistake')")
    return tmp_path


def test_one_page_of_two_runs(folder: Path, file_store: ObjectStore) -> None:
    here.finished(file_store, "one")
    here.finished(file_store, "two", sessions=2)
    before = world.contents(file_store)
    said = report(folder, "one", "tw", "one", "-o", "made/page.html")
    path = folder / "made" / "page.html"
    assert (said.code, said.out) == (0, f"{path}\n")
    assert "Comparison of 2 runs" in path.read_text(encoding="utf-8")
    assert sorted(each.name for each in path.parent.iterdir()) == ["page.html"]
    first = path.read_bytes()
    again = report(folder, "one", "two", "-o", "made/page.html", "--json")
    assert json.loads(again.out) == {"report": str(path), "runs": ["one", "two"], "damaged": []}
    assert path.read_bytes() == first, "the same history, byte for byte, by another process"
    assert world.contents(file_store) == before, "a report changes nothing"


def test_damage_is_named_and_the_page_is_written(folder: Path, file_store: ObjectStore) -> None:
    for run in ("one", "two"):
        here.finished(file_store, run)
    metrics, ledger = here.harm(file_store, "one", "metrics.jsonl"), "runs/two/ledger/00000003.json"
    file_store.delete(ledger)
    said = report(folder, "one", "two")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert said.code == 104
    assert metrics in said.err
    assert ledger in said.err
    assert "hint: facegan-job verify one" in said.err
    assert metrics in page
    assert "cannot be read, and is left out" in page


def test_no_page_of_nothing(folder: Path, file_store: ObjectStore) -> None:
    here.finished(file_store, "two")
    file_store.delete("runs/two/ledger/00000003.json")
    said = report(folder, "two")
    assert (said.code, said.out) == (1, "")
    assert "00000003.json" in said.err
    assert not (folder / "report.html").exists()


def test_a_run_that_does_not_exist(folder: Path, file_store: ObjectStore) -> None:
    here.finished(file_store, "one")
    said = report(folder, "one", "three")
    assert (said.code, said.out) == (102, "")
    assert 'there is no run "three"' in said.err
    assert not (folder / "report.html").exists()


def test_a_run_without_a_checkpoint_is_on_the_page(folder: Path, file_store: ObjectStore) -> None:
    world.create(file_store, "fresh", here.experiment())
    said = report(folder, "fresh")
    assert said.code == 0
    assert "run fresh has committed nothing yet" in said.err
    assert "Nothing is committed yet" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_to(folder: Path, file_store: ObjectStore) -> None:
    here.finished(file_store, "one")
    said = report(folder, "one", "-o", "random.py/page.html")
    assert said.code == 1
    assert "hint: choose a folder that can be written" in said.err


def test_a_folder_is_no_file_to_write(folder: Path, file_store: ObjectStore) -> None:
    here.finished(file_store, "one")
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(BadInputError, match=f'"{folder}" is a folder') as refused:
        command.main([layout.run_url(file_store.url, "one"), "-o", str(folder)])
    assert refused.value.hint == f"name the file to write: -o {folder / 'report.html'}"
    assert sorted(folder.parent.rglob("*")) == before


@pytest.mark.parametrize("fails", ["write_text", "replace"])
def test_a_page_that_cannot_be_written_leaves_nothing_and_the_one_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    path = folder / "page.html"
    path.write_text("before")
    whole = getattr(Path, fails)

    def full(self: Path, *given: object, **more: object) -> None:
        if fails == "write_text":
            whole(self, *given, **more)
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, fails, full)
    with pytest.raises(OSError, match="No space left") as refused:
        command.write(path, "after")
    assert refused.value.filename == str(path), "not a name that nobody has seen"
    assert sorted(each.name for each in folder.iterdir()) == ["page.html", "random.py"]
    assert path.read_text() == "before"


def test_a_run_of_an_unknown_experiment_hides_no_other(
    folder: Path, file_store: ObjectStore, capsys: pytest.CaptureFixture[str]
) -> None:
    here.finished(file_store, "one")
    chosen = here.experiment()
    world.create(file_store, "old", replace(chosen, model=replace(chosen.model, latent=10**12)))
    world.create(file_store, "newer", replace(chosen, model=replace(chosen.model, family="dcgan-99")))
    urls = [layout.run_url(file_store.url, run) for run in ("one", "old", "newer")]
    assert command.main([*urls, "-o", str(folder / "page.html")]) == command.INTEGRITY
    said = capsys.readouterr().err
    assert 'error: run newer cannot be read: the experiment of run "newer" is none' in said
    assert "error: run old" not in said, "it was accepted when it was created"
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "<strong>newer</strong> cannot be read, and is left out" in page
    assert "1000000000000" in page


def test_without_the_extra_it_says_what_to_install(folder: Path, file_store: ObjectStore) -> None:
    here.finished(file_store, "one")
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['jinja2'] = None\n")
    said = report(folder, "one", PYTHONPATH=f"{ROOT}{os.pathsep}{hidden}")
    assert said.code == 1
    assert "hint: pip install 'facegan-job[report]'" in said.err
