"""A session of facegan-job on Kaggle: look at the machine, unpack the program beside Kaggle's own packages, run it.

Kaggle makes a notebook of this and keeps it in the kernel's history, so there is no secret in it: those are in a
private data set. Nothing of Kaggle's image is replaced. What is missing for a session is said in words, before it is
begun. The script ends in an error whenever the session does; before that it prints `facegan-exit: CODE`, or why it
could not begin as `facegan-why: WORDS`.
"""

# ruff: noqa: T201 - what it prints is the log; it runs Python, pip and nvidia-smi

from __future__ import annotations

import base64
import hashlib
import json
import os
import pathlib
import re
import subprocess
import tempfile
import urllib.parse
import zipfile
from typing import Any

from infra.start.machine import age_s, cards, ended_in_time, of_cards, packages, python, reach, say, started, unpack

ORDER: dict[str, Any] = json.loads("@ORDER@")
WHEEL = "@WHEEL@"
STORE: str = ORDER["run_url"].rpartition("/runs/")[0]

INPUT = pathlib.Path("/kaggle/input")
OUTPUT = pathlib.Path("/kaggle/working")
GOOD = (0, 75)  # finished; interrupted, and to be continued by the next session
LATER_S = 10.0  # beyond the grace, before the process is killed


def main() -> None:
    """Run the session, or say why not: where Kaggle can show it, and where it can be read back."""
    try:
        code = begin()
    except Exception as error:
        words = str(error) if isinstance(error, RuntimeError) else repr(error)
        print(f"facegan-why: {' '.join(words.split())}", flush=True)
        raise
    if code not in GOOD:
        raise RuntimeError(f"the session failed with exit code {code}: its own words are above")


def begin() -> int:
    """Look at everything that can be missing, then run the session; its exit code, said before anything is packed."""
    python()
    handed = json.loads(data_set().joinpath("handed.json").read_bytes())
    handed["source"] = attached()
    handed["found"] = given_cards()
    reach_outside(handed["environment"])
    packages(STORE)
    place = pathlib.Path(tempfile.mkdtemp(prefix="facegan-"))  # not /kaggle/working, which Kaggle keeps
    lay_out(place / "program")
    along = arrive() if ORDER["carried"] else set()
    left_s = time_left_s(age_s())
    code = session(hand(handed, left_s), place, left_s)
    print(f"facegan-exit: {code}", flush=True)
    if ORDER["carried"]:
        pack(along)
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


def reach_outside(environment: dict[str, str]) -> None:
    """Fail at once where there is no internet: without a verified phone, Kaggle gives none and says nothing."""
    try:
        reach(STORE, environment)
    except RuntimeError as error:
        raise RuntimeError(
            f"{error}: is the account's phone verified on kaggle.com? Without, there is no internet"
        ) from None


def given_cards() -> dict[str, Any]:
    """The GPUs and their driver, for the ledger.

    Fails at once where Kaggle gave another GPU than was asked for, fewer, or none: it does not say so itself.
    """
    wanted, replicas = ORDER["gpu"], ORDER["replicas"]
    names, drivers = cards(), of_cards("driver_version")
    found = {"gpus": names, **({"driver": drivers[0]} if drivers else {})}
    right = [name for name in names if wanted in name.replace("-", " ").split()]
    if wanted is None or len(right) >= replicas:
        return found
    if right:
        raise RuntimeError(f"{replicas} replicas were asked for, and Kaggle gave {len(right)} x {wanted}")
    given = f"a {names[0]}" if names else "no GPU: is there quota left, and is the account's phone verified?"
    raise RuntimeError(f"a {wanted} was asked for, and Kaggle gave {given}")


def lay_out(folder: pathlib.Path) -> None:
    """The program, from where it is: in this text, or in the data set."""
    data = base64.b64decode(WHEEL) if WHEEL else data_set().joinpath("wheel.bin").read_bytes()
    unpack(data, ORDER["wheel"]["sha256"], folder)
    say(f"{ORDER['wheel']['name']} {ORDER['wheel']['sha256'][:12]}")


def arrive() -> set[str]:
    """Lay out the store of a session that cannot reach its user's: a copy of the run; the names of its objects."""
    packed, label = (data_set() / name for name in ("luggage.bin", "luggage.json"))
    if described(packed) != json.loads(label.read_bytes()):
        raise RuntimeError("the copy of the run is not the one that was sent")
    with zipfile.ZipFile(packed) as luggage:
        luggage.extractall(urllib.parse.urlsplit(STORE).path)
        return set(luggage.namelist())


def pack(along: set[str]) -> None:
    try:
        leave(along)
    except Exception as error:
        raise RuntimeError(f"what the session made could not be packed: {error!r}") from error


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
    """Run it to its end, and pass on what it prints; ask it to stop when the time is up."""
    # Of the two cards that there are, as many as the experiment says: on another number, sums come out otherwise.
    shown = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, range(ORDER["replicas"])))} if ORDER["gpu"] else {}
    child = started(ORDER, handed, place, env=shown, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    left_s = max(left_s, 0.0)
    with ended_in_time(child, left_s, left_s + ORDER["grace_s"] + LATER_S):
        assert child.stdout is not None
        for line in child.stdout:
            print(line.decode(errors="replace"), end="", flush=True)
        return child.wait()


def time_left_s(age_s: float) -> float:
    """How much of Kaggle's time there is for the program, in a session of this age.

    After it come its last checkpoint, for which it may take all of its grace, and then what there is to pack.
    """
    last_s: float = max(ORDER["margin_s"], ORDER["grace_s"] + LATER_S) + ORDER["packs_s"]
    left: float = ORDER["session_s"] - last_s - age_s
    return left


main()
