"""What is too heavy to load at the start: work that needs TensorFlow or MLflow, done by a process of its own; SDKs."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from json import loads
from types import ModuleType

from facegan import layout, progress
from facegan.home import VARIABLE
from facegan.noise import is_noise
from facegan.verify import Head
from jobs.context import Context
from jobs.errors import JobError


def sdk(module: str, extra: str) -> ModuleType:
    """The module that brings a vendor's SDK, loaded when it is first needed.

    Raises:
        JobError: the SDK is not installed; says how it is.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise JobError(f'"{error.name}" is not installed here', hint=f"pip install 'facegan-job[{extra}]'") from error


def command(*arguments: str) -> list[str]:
    # -P: a file in the folder one happens to be in, `random.py` say, is not imported instead of the real one
    return [sys.executable, "-P", "-m", "facegan", *arguments]


def run(context: Context, *arguments: str, quiet: bool = False) -> int:
    """Run it to its end; its exit code. Its data goes to our standard output, unless `quiet`: then nowhere."""
    sys.stdout.flush()
    with subprocess.Popen(  # noqa: S603 - our own interpreter and program
        command(*arguments),
        env=environment(context),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if quiet else None,
        stderr=subprocess.PIPE,
    ) as child:
        for line in child.stderr or ():
            if not is_noise(line):
                sys.stderr.write(line.decode(errors="replace"))
                sys.stderr.flush()
    return child.returncode


def watched(context: Context, *arguments: str, show: Callable[[str], object]) -> tuple[int, str]:
    """Run it to its end, and show its progress; its exit code and the data it printed, which are few."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter and program
        command(*arguments),
        env=environment(context),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        for line in child.stderr or ():
            if line.startswith(progress.MARK.encode()):
                show(line.decode(errors="replace").strip())
            elif not is_noise(line):
                sys.stderr.write(line.decode(errors="replace"))
                sys.stderr.flush()
        said = child.stdout.read().decode(errors="replace") if child.stdout else ""
    return child.returncode, said


def start(context: Context, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start it beside the caller."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter and program
        list(arguments),
        env=environment(context),
        stdin=subprocess.DEVNULL,
        start_new_session=os.name != "nt",  # Ctrl-C is for the caller, who ends it in good order
    )


def environment(context: Context) -> dict[str, str]:
    """Ours, with the settings in force. A tracking URI may hold a password: no place for it on a command line."""
    settings = context.settings
    return {**os.environ, VARIABLE: str(settings.home), "MLFLOW_TRACKING_URI": settings.tracking}


def has(package: str) -> bool:
    """Whether a package is installed here, found out without importing it."""
    return importlib.util.find_spec(package) is not None


def sync_arguments(context: Context, runs: Sequence[str]) -> list[str]:
    """What `python -m facegan sync` is asked for these runs."""
    urls = [layout.run_url(context.store.url, run) for run in runs]
    settings = context.settings
    arguments = ["sync", *urls]
    if settings.tracking.startswith("sqlite:"):
        arguments += ["--artifacts", (settings.home / "mlflow" / "artifacts").as_uri()]
    return arguments


def head(context: Context, run: str) -> Head | None:
    """Which entry of the run's ledger MLflow was told of last; `None` if of none.

    Raises:
        JobError: MLflow is not installed here, or does not answer.
    """
    if not has("mlflow"):
        raise JobError("MLflow is not installed here", hint="pip install 'facegan-job[track]'")
    code, said = watched(context, "head", layout.run_url(context.store.url, run), show=lambda _line: None)
    if code:
        raise JobError("MLflow does not say what it has seen of the run", hint="facegan-job doctor")
    found = loads(said.strip().splitlines()[-1])
    return Head(**found) if found else None


def sync(
    context: Context, runs: Sequence[str], accepted: Sequence[str] = (), *, json: bool = False, quiet: bool = True
) -> int:
    """Copy what these runs have committed to MLflow; the exit code. Unless `quiet`, say what was copied.

    Of those that are `accepted`, MLflow forgets what it has seen of their ledgers.
    """
    if not has("mlflow"):
        sys.stderr.write("error: MLflow is not installed here, so nothing is copied there\n")
        sys.stderr.write("hint: pip install 'facegan-job[track]'\n")
        return 1
    arguments = [*sync_arguments(context, runs), *(["--json"] if json else [])]
    for run_ in accepted:
        arguments += ["--accept", layout.run_url(context.store.url, run_)]
    return run(context, *arguments, quiet=quiet)
