"""Pages of the documentation, typed line by line: by a shell that finds a cloud's own command played, and ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BESIDE = "from jobs import cli, loopback; loopback.of_store = lambda *_: None; cli.main()"
"""Our own command, of a cloud whose machines reach stores on loopback: they are this one."""


def typed(text: str, folder: Path, variables: dict[str, str], *, may_fail: bool = False) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], cwd=folder, env={**os.environ, **variables}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, f"$ {text}\n{done.stderr}"
    assert may_fail or done.returncode == 0, f"$ {text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def module(name: str) -> str:
    """A program that is a module of these tests."""
    return f'export PYTHONPATH={ROOT}; exec {sys.executable} -P -m {name} "$@"'


def play(folder: Path, image: str, **programs: str) -> None:
    """These programs, and our own, which builds no image here: it has pushed this one."""
    folder.mkdir()
    ours = f'[ "$1" = image ] && echo "{image}" && exit; exec {sys.executable} -P -c "{BESIDE}" "$@"'
    for name, text in {**programs, "facegan-job": ours}.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
