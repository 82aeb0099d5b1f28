"""A session of facegan-job on Kaggle: look at the machine, unpack the program beside Kaggle's own packages, run it.

Kaggle makes a notebook of this and keeps it in the kernel's history, so there is no secret in it: those are in a
private data set. Nothing of Kaggle's image is replaced. What is missing for a session is said in words, before it is
begun. The script ends in an error whenever the session does; before that it prints `facegan-exit: CODE`, or why it
could not begin as `facegan-why: WORDS`.
"""

# ruff: noqa: T201, S603 - what it prints is the log; it runs Python, pip and nvidia-smi

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib.metadata
import io
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import zipfile
from typing import Any

ORDER: dict[str, Any] = json.loads("@ORDER@")
WHEEL = "@WHEEL@"
STORE: str = ORDER["run_url"].rpartition("/runs/")[0]

INPUT = pathlib.Path("/kaggle/input")
OUTPUT = pathlib.Path("/kaggle/working")
OLDEST_PYTHON = (3, 11)
THERE = {"tensorflow": "2.18", "keras": "3.5", "numpy": "2", "pillow": "10"}  # Kaggle's own, never touched
ADDED = {"safetensors": "0.4.5"}  # added where it is missing or older
OF_STORE = {"s3": {"boto3": "1.36"}, "gs": {"google-cloud-storage": "3"}, "file": {}}
GOOD = (0, 75)  # finished; interrupted, and to be continued by the next session
CONNECT_S = 20.0
LATER_S = 10.0  # beyond the grace, before the process is killed
LONGEST_START_S = 600.0


def say(text: str) -> None:
    print(f"facegan-start: {text}", flush=True)


def main() -> None:
    """Run the session, or say why not: where Kaggle can show it, and where it can be read back."""
    try:
        code = begin()
    except RuntimeError as error:
        print(f"facegan-why: {error}", flush=True)
        raise
    print(f"facegan-exit: {code}", flush=True)
    if code not in GOOD:
        raise RuntimeError(f"the session failed with exit code {code}: its own words are above")


def begin() -> int:
    """Look at everything that can be missing, then run the session; its exit code."""
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise RuntimeError(f"Python {sys.version.split()[0]} is too old")
    handed = json.loads(data_set().joinpath("handed.json").read_bytes())
    handed["source"] = attached()
    handed["found"] = cards()
    reach(handed["environment"])
    packages()
    place = pathlib.Path(tempfile.mkdtemp(prefix="facegan-"))  # not /kaggle/working, which Kaggle keeps
    unpack(place / "program")
    along = arrive() if ORDER["carried"] else set()
    left_s = time_left_s(age_s())
    code = session(hand(handed, left_s), place, left_s)
    if ORDER["carried"]:
        leave(along)
    return code


def data_set() -> pathlib.Path:
    """The folder of the data set made for this session, in either of Kaggle's layouts."""
    name = ORDER["dataset"]
    for folder in mounts("*", name):
        if folder.joinpath("handed.json").exists():
            return folder
    raise RuntimeError(f'the data set "{name}" with what this session needs is not attached')


def mounts(owner: str, name: str) -> list[pathlib.Path]:
    """Where Kaggle may have put a data set: in its newer layout, or in its older one."""
    return [*INPUT.glob(f"datasets/{owner}/{name}"), INPUT / name]


def attached() -> str | None:
    """Where the pictures are that this session has to prepare, if it has to."""
    wanted = ORDER["prepares"]
    if wanted is None:
        return None
    for folder in mounts(*wanted["ref"].split("/")):
        found = folder / wanted["inside"]
        if found.is_dir() and any(found.iterdir()):
            say(f"data: {found}")
            return str(found)
    raise RuntimeError(
        f"the data set {wanted['ref']} is not attached: is it still on kaggle.com? Else prepare the data into your "
        "bucket yourself (facegan-job data prepare)"
    )


def reach(environment: dict[str, str]) -> None:
    """Fail at once where there is no internet: without a verified phone, Kaggle gives none and says nothing."""
    store = urllib.parse.urlsplit(STORE)
    if store.scheme == "file":
        return
    asked = urllib.parse.parse_qs(store.query).get("endpoint", [None])[0] or next(
        (environment[name] for name in ENDPOINTS[store.scheme] if environment.get(name)), USUAL[store.scheme]
    )
    at = urllib.parse.urlsplit(asked if "://" in asked else f"http://{asked}")
    where = (at.hostname, at.port or (80 if at.scheme == "http" else 443))
    try:
        socket.create_connection(where, timeout=CONNECT_S).close()
    except OSError as error:
        raise RuntimeError(
            f"this session cannot reach its store at {where[0]}:{where[1]} ({error}): is the account's phone verified "
            "on kaggle.com? Without, there is no internet"
        ) from None


ENDPOINTS = {"s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), "gs": ("STORAGE_EMULATOR_HOST",)}
USUAL = {"s3": "https://s3.amazonaws.com", "gs": "https://storage.googleapis.com"}


def cards() -> dict[str, Any]:
    """The GPUs and their driver, for the ledger.

    Fails at once where Kaggle gave another GPU than was asked for, fewer, or none: it does not say so itself.
    """
    wanted, replicas = ORDER["gpu"], ORDER["replicas"]
    names, drivers = asked_of_cards("name"), asked_of_cards("driver_version")
    say(f"GPUs: {', '.join(names) or 'none'}")
    found = {"gpus": names, **({"driver": drivers[0]} if drivers else {})}
    right = [name for name in names if wanted in name.replace("-", " ").split()]
    if wanted is None or len(right) >= replicas:
        return found
    if right:
        raise RuntimeError(f"{replicas} replicas were asked for, and Kaggle gave {len(right)} x {wanted}")
    given = f"a {names[0]}" if names else "no GPU: is there quota left, and is the account's phone verified?"
    raise RuntimeError(f"a {wanted} was asked for, and Kaggle gave {given}")


def asked_of_cards(field: str) -> list[str]:
    """One field of every GPU there is."""
    asked = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader"]
    try:
        found = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in found.splitlines() if line.strip()]


def packages() -> None:
    """Add what is missing and is pure Python or nearly so; of what is Kaggle's own, only the version is looked at."""
    for name, least in THERE.items():
        version = installed(name)
        say(f"{name} {version or 'is missing'}")
        if version is None or numbers(version) < numbers(least):
            raise RuntimeError(f"{name} {least} or newer is needed, and Kaggle's image has {version or 'none'}")
    wanted = {**ADDED, **OF_STORE[STORE.partition("://")[0]]}
    lacking = [f"{name}>={least}" for name, least in wanted.items() if numbers(installed(name)) < numbers(least)]
    if not lacking:
        return
    kept = [f"{name}=={installed(name)}" for name in THERE]
    say(f"adding {', '.join(lacking)}")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(kept))
        constraints.flush()
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", constraints.name, *lacking]
        if subprocess.run(install, check=False).returncode:
            raise RuntimeError(
                f"{', '.join(lacking)} could not be installed beside Kaggle's own {', '.join(kept)}: pip says why above"
            )


def installed(name: str) -> str | None:
    """The version of a distribution; tensorflow goes by several names."""
    for each in (name, f"{name}-cpu", f"{name}-gpu"):
        try:
            return importlib.metadata.version(each)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def numbers(version: str | None) -> tuple[int, ...]:
    """A version's first numbers; none, and so less than any, of what is not there."""
    return tuple(int(part) for part in re.findall(r"[0-9]+", version or "")[:3])


def unpack(folder: pathlib.Path) -> None:
    """The wheel holds pure Python: unpacked, it is installed, and nothing else has changed."""
    data = base64.b64decode(WHEEL) if WHEEL else data_set().joinpath("wheel.bin").read_bytes()
    if hashlib.sha256(data).hexdigest() != ORDER["wheel"]["sha256"]:
        raise RuntimeError("the program is not the one that was sent")
    zipfile.ZipFile(io.BytesIO(data)).extractall(folder)
    say(f"{ORDER['wheel']['name']} {ORDER['wheel']['sha256'][:12]}")


def arrive() -> set[str]:
    """Lay out the store of a session that cannot reach its user's: a copy of the run; the names of its objects."""
    packed, label = (data_set() / name for name in ("luggage.bin", "luggage.json"))
    if described(packed) != json.loads(label.read_bytes()):
        raise RuntimeError("the copy of the run is not the one that was sent")
    with zipfile.ZipFile(packed) as luggage:
        luggage.extractall(urllib.parse.urlsplit(STORE).path)
        return set(luggage.namelist())


def leave(along: set[str]) -> None:
    """Pack what the session has added to its copy where Kaggle keeps it; its digest last, which makes it whole."""
    root = pathlib.Path(urllib.parse.urlsplit(STORE).path)
    found = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
    packed, label = (OUTPUT / name for name in ("left.bin", "left.json"))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as left:
        for key, path in found.items():
            if key not in along and not key.startswith(".incoming/"):
                left.writestr(zipfile.ZipInfo(key), path.read_bytes())
    label.write_text(json.dumps(described(packed)))
    say(f"left: {packed.stat().st_size:,} bytes")


def described(path: pathlib.Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def hand(handed: dict[str, Any], left_s: float) -> bytes:
    """What the session is handed, with what only this machine knows: Kaggle's number of it, and the time it has."""
    number = session_id(os.environ.get("KAGGLE_CONTAINER_NAME", ""))
    if number is not None:
        handed["ref"]["session_id"] = number
    handed["budget_s"] = left_s
    return json.dumps(handed).encode()


def session_id(container: str) -> int | None:
    """The one part of the container's name that is a number; nothing, where that is not clear."""
    found = [part for part in re.split("[-_]", container) if re.fullmatch("[0-9]{5,15}", part)]
    return int(found[0]) if len(found) == 1 else None


def session(handed: bytes, place: pathlib.Path, left_s: float) -> int:
    """Run it to its end, and pass on what it prints; ask it to stop when the time is up.

    What it is handed goes through a pipe, so that it is in no file of ours, argument or variable.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(place / "program"),
        "PYTHONUNBUFFERED": "1",
        "FACEGAN_HOME": str(place / "home"),
        # Of the two cards that there are, as many as the experiment says: on another number, sums come out otherwise.
        **({"CUDA_VISIBLE_DEVICES": ",".join(map(str, range(ORDER["replicas"])))} if ORDER["gpu"] else {}),
    }
    command = [sys.executable, "-m", "facegan", "run", ORDER["run_url"]]
    source, sink = os.pipe()
    command += ["--session", str(ORDER["number"]), "--handed", f"/dev/fd/{source}"]
    child = subprocess.Popen(
        command,
        env=environment,
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=(source,),
    )
    os.close(source)
    with os.fdopen(sink, "wb") as pipe, contextlib.suppress(BrokenPipeError):
        pipe.write(handed)
    timers = [
        threading.Timer(max(left_s, 0.0), stop, (child, signal.SIGTERM)),
        threading.Timer(max(left_s, 0.0) + ORDER["grace_s"] + LATER_S, stop, (child, signal.SIGKILL)),
    ]
    for timer in timers:
        timer.daemon = True
        timer.start()
    assert child.stdout is not None
    for line in child.stdout:
        print(line, end="", flush=True)
    code = child.wait()
    for timer in timers:
        timer.cancel()
    return code


def stop(child: subprocess.Popen[str], number: signal.Signals) -> None:
    say(f"this session's time is up: {number.name}")
    child.send_signal(number)


def time_left_s(age_s: float) -> float:
    """How much of Kaggle's time there is for the program, in a session of this age: the last of it is nobody's."""
    left: float = ORDER["session_s"] - max(ORDER["margin_s"], ORDER["grace_s"] + LATER_S) - age_s
    return left


def age_s() -> float:
    """How long this session runs: the container's first process is as old as it is, where that can be told."""
    own, first = since_start_s("self"), since_start_s("1")
    return first if own <= first <= own + LONGEST_START_S else own


def since_start_s(process: str) -> float:
    """How long a process runs, by the kernel's own count."""
    try:
        fields = pathlib.Path("/proc", process, "stat").read_text().rpartition(")")[2].split()
        uptime = float(pathlib.Path("/proc/uptime").read_text().split()[0])
        return max(0.0, uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return 0.0


main()
