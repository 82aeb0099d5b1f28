"""The docs are true: every command they show in a console block runs, in its order, and then every Python block."""

import functools
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from facegan import process
from tests.e2e.outcome import committed
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BY_CI = ("make ", "source ")  # CI runs the first; the second is done here by setting PATH
WITH_AN_ENGINE = {"docker.md"}  # tests/container/test_page.py types it
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
SOME_SECONDS = re.compile(r"sleep \d+")  # for what a reader waits: on a fast machine all would be over by then
KILLED = re.compile(r"pkill -KILL -f '(?P<pattern>.+)'")
MINE = re.compile(r"```toml\n# (?P<name>\S+\.toml)\n(?P<text>.*?)```", re.DOTALL)


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line for line in lines if not line.startswith(BY_CI)]


def wait_for_a_checkpoint(home: Path) -> None:
    """Until a run of this home has committed one."""
    until(
        lambda: any(committed(home, run.name) for run in (home / "store" / "runs").iterdir()),
        lambda: "nothing is committed",
    )


def is_gone(pattern: re.Pattern[str]) -> bool:
    """Whether the kernel is done with every process that has this in its command line."""
    return not any(
        pattern.search(" ".join(arguments)) and process.identify(pid) for pid, arguments in process.everyone()
    )


@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands(page) and page.name not in WITH_AN_ENGINE], ids=lambda page: page.name
)
def test_every_command_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("the commands train, and TensorFlow is not installed")
    for name, text in MINE.findall(page.read_text()):
        (tmp_path / name).write_text(text)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "FACEGAN_HOME": str(tmp_path / "home"),
    }
    for line in commands(page):
        if SOME_SECONDS.fullmatch(line):
            wait_for_a_checkpoint(tmp_path / "home")
            continue
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"$ {line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        if killed := KILLED.match(line):
            until(functools.partial(is_gone, re.compile(killed["pattern"])))
    for program in PYTHON.findall(page.read_text()):
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{program}\n{done.stderr}"


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
