"""The code that is run in the kernel of a session's machine, and what it answers: one line of JSON, marked.

The command ends well whatever the code does: only this line says that it did its work. There is no secret in any of
it, because the command keeps a history of what it runs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from facegan.experiment import Json
from jobs.backends.colab import naming

MARK = "facegan-colab: "

_SAY = f"""
import json, os, pathlib, subprocess, sys, time
def _facegan_say(**answer):
    print({MARK!r} + json.dumps(answer), flush=True)
"""


def untouched() -> str:
    """Whether nobody but us has used this machine: nothing in its folder, and no other kernel."""
    return f"""{_SAY}
_facegan_there = sorted(path.name for path in pathlib.Path("/content").iterdir())
_facegan_kernels = 0
for _facegan_path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    try:
        _facegan_kernels += b"kernel_launcher" in _facegan_path.read_bytes()
    except OSError:
        pass
_facegan_say(untouched=set(_facegan_there) <= {{".config", "sample_data"}} and _facegan_kernels <= 1)
"""


def prepare(session: str) -> str:
    """A folder that only its owner can read."""
    return f"""{_SAY}
_facegan_folder = pathlib.Path({naming.folder(session)!r})
_facegan_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
_facegan_folder.chmod(0o700)
_facegan_say(ready=True)
"""


def start(session: str, sha256: str) -> str:
    """Start the session's process, once, whoever asks how often: the file that says so can only be made once.

    The process is not the kernel's: it has its own session, and goes on when the kernel is restarted.
    """
    return f"""{_SAY}
import hashlib
def _facegan_start(folder):
    whole = folder.joinpath({naming.BUNDLE!r})
    if not whole.exists() or hashlib.sha256(whole.read_bytes()).hexdigest() != {sha256!r}:
        return _facegan_say(began=False, why="the program did not arrive whole")
    if not folder.joinpath({naming.HANDED!r}).exists():
        return _facegan_say(began=False, why="what it is handed did not arrive")
    try:
        marker = folder.joinpath({naming.STARTED!r}).open("x")
    except FileExistsError:
        return _facegan_say(began=True)
    try:
        folder.joinpath({naming.HANDED!r}).chmod(0o600)
        with folder.joinpath({naming.LOG!r}).open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-u", {naming.BUNDLE!r}], cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True)
    except OSError as error:
        folder.joinpath({naming.STARTED!r}).unlink()
        return _facegan_say(began=False, why=str(error))
    with marker:
        json.dump({{"pid": child.pid}}, marker)
    _facegan_say(began=True)
_facegan_start(pathlib.Path({naming.folder(session)!r}))
"""


def stay(session: str) -> str:
    """Keep the kernel busy for as long as the session runs: Colab takes machines away whose kernels do nothing.

    Then say that it has ended, where it could not do so itself. It may be run more than once.
    """
    return f"""{_SAY}
def _facegan_lives(pid):
    try:
        return pathlib.Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
def _facegan_stay(folder):
    started = folder.joinpath({naming.STARTED!r}).read_text()
    pid = json.loads(started)["pid"] if started else None
    _facegan_say(stays=True)
    while pid is not None and _facegan_lives(pid):
        time.sleep(1)
    end = folder.joinpath({naming.ENDED!r})
    if not end.exists():
        whole = end.with_name("ended.found")
        whole.write_text(json.dumps({{"code": None, "why": "", "gone": True}}))
        whole.replace(end)
_facegan_stay(pathlib.Path({naming.folder(session)!r}))
"""


def answers(printed: str) -> Sequence[Json]:
    """What the code said, of all that was printed around it."""
    found = []
    for line in printed.splitlines():
        if line.startswith(MARK):
            try:
                found.append(json.loads(line.removeprefix(MARK)))
            except ValueError:
                continue
    return [each for each in found if isinstance(each, dict)]
