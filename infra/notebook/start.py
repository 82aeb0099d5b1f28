"""A session of facegan-job in a notebook that a person opened: look at the machine, get credentials, train.

The session is a process of its own, so that it has its own memory, signals and packages. It is asked to stop when
its cell is interrupted, when the machine's time is nearly up, and when the kernel is gone; each time it makes a last
checkpoint. There is no secret in this: they come from the place's own store of secrets, or are asked for.
"""

# ruff: noqa: T201, S603 - what it prints is the notebook's output; it runs Python

from __future__ import annotations

import base64
import contextlib
import dataclasses
import fcntl
import getpass
import hashlib
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from infra.start.machine import cards, packages, python, reach, say, since_start_s, unpack

ORDER: dict[str, Any] = json.loads("@ORDER@")
WHEEL = "@WHEEL@"
STORE: str = ORDER["run_url"].rpartition("/runs/")[0]
SCHEME = STORE.partition("://")[0]

NEEDED = {"s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "gs": ("GOOGLE_APPLICATION_CREDENTIALS",)}
PERHAPS = {"s3": ("AWS_SESSION_TOKEN",), "gs": ()}  # only temporary keys come with one
FILES = ("GOOGLE_APPLICATION_CREDENTIALS",)  # SDKs want the name of a file, and the secret is what is in it

FINISHED, INTERRUPTED, NOT_HOLDER = 0, 75, 73

# The session's standard input is the kernel's end of a pipe: it closes when the kernel is gone, however that went.
ATTENDED = """
import os, runpy, signal, sys, threading
def leave():
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=leave, daemon=True).start()
runpy.run_module("facegan", run_name="__main__", alter_sys=True)
"""


class StoppedError(Exception):
    """What a cell ends with when it cannot go on: words, without the lines of code that led there."""

    def _render_traceback_(self) -> list[str]:
        return [f"facegan: {self}"]


@dataclasses.dataclass(frozen=True)
class Machine:
    """What the session trains on: the names of the GPUs here, of which the first is used."""

    gpus: list[str]


@dataclasses.dataclass(frozen=True)
class Access:
    """Credentials for the store. They are not shown, whatever is done with this."""

    environment: dict[str, str] = dataclasses.field(repr=False)
    files: dict[str, bytes] = dataclasses.field(repr=False)


def look(*, cpu: bool = False) -> Machine:
    """Look at everything that can be missing, and say what is there. `cpu` trains where there is no GPU, too."""
    names = cards()
    if not names and not cpu:
        raise StoppedError(
            f"there is no GPU here. {ORDER['accelerator']}, then run all cells again. "
            "To train on the CPU all the same, write look(cpu=True) in this cell"
        )
    if 0 < len(names) < ORDER["replicas"]:
        raise StoppedError(
            f"this run trains on {ORDER['replicas']} GPUs at once, and here is one. {ORDER['accelerator']}"
        )
    if names and ORDER["shows"] not in names[0].replace("-", " ").split():
        say(f"a {ORDER['gpu']} was expected; steps on another GPU are as good, but not the same to the last bit")
    try:
        python()
        packages(STORE)
        reach(STORE, dict(os.environ))
    except RuntimeError as error:
        raise StoppedError(f"{error}. {ORDER['internet']}") from None
    return Machine(gpus=names)


def credentials() -> Access:
    """From this notebook's environment, from the place's store of secrets, or asked for, in this order."""
    found: dict[str, str] = {}
    typed = False
    for name in (*NEEDED[SCHEME], *PERHAPS[SCHEME]):
        if os.environ.get(name):
            say(f"{name}: as set in this notebook's environment")
            continue
        value = secret(name)
        if value is None and (typed or name in NEEDED[SCHEME]):
            value, typed = asked(name), True
        if value:
            found[name] = value.strip()
    return Access(
        environment={name: value for name, value in found.items() if name not in FILES},
        files={name: checked(name, found[name]) for name in FILES if name in found},
    )


def secret(name: str) -> str | None:
    """From the place's store of secrets; nothing where this is not that place, or it has none of this name."""
    try:
        value = SECRETS[ORDER["place"]](name)
    except ImportError:
        return None
    except Exception as error:  # noqa: BLE001 - each place has errors of its own; all of them mean: not from there
        if name in NEEDED[SCHEME]:
            say(f"{name} is not among this notebook's secrets: {error}")
        return None
    if value:
        say(f"{name}: from this notebook's secrets")
    return value


def colab_secret(name: str) -> str:
    return str(importlib.import_module("google.colab.userdata").get(name))


def kaggle_secret(name: str) -> str:
    return str(importlib.import_module("kaggle_secrets").UserSecretsClient().get_secret(name))


# Only the place's own: Kaggle's image has Colab's module too, which would wait for ever there.
SECRETS: dict[str, Callable[[str], str]] = {"colab": colab_secret, "kaggle": kaggle_secret}


def asked(name: str) -> str:
    """Typed by the person in front of it, and not shown; an empty answer leaves out what may be missing."""
    may_be_left_out = name not in NEEDED[SCHEME]
    try:
        value = getpass.getpass(f"{name}{' (Enter if there is none)' if may_be_left_out else ''}: ")
    except (NotImplementedError, EOFError):
        if may_be_left_out:
            return ""
        raise StoppedError(f"there is no secret {name}, and nobody to ask. {ORDER['secrets']}") from None
    if not value and not may_be_left_out:
        raise StoppedError(f"{name} is needed. {ORDER['secrets']}, or run this cell again and type it")
    return value


def checked(name: str, value: str) -> bytes:
    """What is to be in a file of credentials, if it is whole."""
    try:
        json.loads(value)
    except ValueError:
        raise StoppedError(f"{name} has to be what is in the key's file: JSON, from {{ to }}") from None
    return value.encode()


def train(machine: Machine, access: Access) -> None:
    """Run the run's next session to its end. Run it again to go on."""
    left_s = time_left_s()
    if left_s is not None and left_s <= 0:
        raise StoppedError(f"this machine's time is up. {ORDER['renew']}, and run all cells again")
    with tempfile.TemporaryDirectory(prefix="facegan-", ignore_cleanup_errors=True) as folder:
        place = pathlib.Path(folder)
        unpack(base64.b64decode(WHEEL), ORDER["wheel"]["sha256"], place / "program")
        say(f"{ORDER['wheel']['name']} {ORDER['wheel']['sha256'][:12]}")
        with predecessor_gone() as lock:
            child = begin(place, handed(machine, access, left_s), lock)
        timer = threading.Timer(left_s or 0.0, end_in_time, (child,))
        timer.daemon = True
        if left_s is not None:
            timer.start()
        try:
            code, interrupted = watch(child)
        finally:
            timer.cancel()
    conclude(code, interrupted=interrupted)


def time_left_s() -> float | None:
    """How long this machine may go on, where that is known: only where the place says that this is one of its own."""
    if ORDER["marker"] not in os.environ or ORDER["session_s"] is None:
        return None
    return float(ORDER["session_s"] - ORDER["margin_s"]) - since_start_s("1")  # a kernel may be younger: by restarts


@contextlib.contextmanager
def predecessor_gone() -> Any:  # noqa: ANN401 - contextlib's
    """A lock that is held as long as this run's session on this machine lives, by the session itself.

    One that a kernel left behind when it was restarted is making its last checkpoint: it is waited for. One whose
    kernel lives is another notebook's, and the ledger says which of the two may train.
    """
    home = pathlib.Path(os.environ.get("FACEGAN_HOME") or pathlib.Path.home() / ".facegan")
    home.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(ORDER["run_url"].encode()).hexdigest()[:16]
    with (home / f"notebook-{name}.lock").open("a+") as lock:
        until, told = time.monotonic() + ORDER["grace_s"], False
        while not taken(lock) and time.monotonic() < until and is_orphaned(lock):
            if not told:
                say("the session before this one is making its last checkpoint: waiting for it")
            told = True
            time.sleep(0.5)
        yield lock


def taken(lock: IO[str]) -> bool:
    """Take the lock, and leave word whose it is."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return True


def is_orphaned(lock: IO[str]) -> bool:
    """Whether the kernel that started the session which holds the lock is gone."""
    lock.seek(0)
    kernel = lock.read()
    return kernel.isdigit() and (int(kernel) == os.getpid() or not pathlib.Path("/proc", kernel).exists())


def handed(machine: Machine, access: Access, left_s: float | None) -> bytes:
    """What the session is handed, in the form that the program reads."""
    return json.dumps(
        {
            "environment": access.environment,
            "files": {name: base64.b64encode(data).decode() for name, data in access.files.items()},
            "backend": "hand",
            "host": None,
            "ref": None,
            "grace_s": ORDER["grace_s"],
            "gpu": machine.gpus[0] if machine.gpus else None,
            "found": {"gpus": machine.gpus},
            "budget_s": left_s,
        }
    ).encode()


def begin(place: pathlib.Path, given: bytes, lock: IO[str]) -> subprocess.Popen[str]:
    """Start the session. Its credentials go through a pipe, so that they are in no file, argument or variable."""
    there = os.environ.get("PYTHONPATH")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(place / "program"), *([there] if there else [])]),
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": ",".join(map(str, range(ORDER["replicas"]))),  # other numbers compute other bits
    }
    source, sink = os.pipe()
    try:
        child = subprocess.Popen(
            [sys.executable, "-c", ATTENDED, "run", ORDER["run_url"], "--handed", f"/dev/fd/{source}"],
            env=environment,
            cwd=place,
            text=True,
            errors="replace",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(source, lock.fileno()),
            start_new_session=True,  # interrupting the kernel interrupts its whole group: this one is told by us
        )
    finally:
        os.close(source)
    with os.fdopen(sink, "wb") as pipe, contextlib.suppress(BrokenPipeError):
        pipe.write(given)
    return child


def watch(child: subprocess.Popen[str]) -> tuple[int, bool]:
    """Pass on what it prints, to its end; whether it was interrupted here."""
    interrupted = False
    assert child.stdout is not None
    while True:
        try:
            for line in child.stdout:
                print(line, end="", flush=True)
            return child.wait(), interrupted
        except KeyboardInterrupt:
            if interrupted:
                say("ended at once")
                child.kill()
            else:
                say("interrupted: it makes a last checkpoint and ends. Interrupt again to end it at once")
                child.terminate()
            interrupted = True


def end_in_time(child: subprocess.Popen[str]) -> None:
    say("this machine's time is nearly up: it makes a last checkpoint and ends")
    child.terminate()


def conclude(code: int, *, interrupted: bool) -> None:
    """Say how it ended, and what to do."""
    if code == FINISHED:
        say("the run has all its steps. Fetch what it made: facegan-job pull, on your machine")
    elif code == INTERRUPTED or (interrupted and code < 0):
        say("the session ended before the run did. Run this cell again, here or anywhere, and it goes on")
    elif code == NOT_HOLDER:
        raise StoppedError(
            "exit 73: another session holds the run and is alive; this one wrote nothing. Let that one train, or end "
            "it (facegan-job stop, or close its notebook), and run this cell again"
        )
    elif code < 0:
        raise StoppedError(f"the session was killed by signal {-code}: too little memory? Run this cell again")
    else:
        raise StoppedError(f"exit {code}: the session's own words are above")
