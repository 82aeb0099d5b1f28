"""Google's `colab` command: each verb that a backend needs of it, with a time-out, and what it prints read as words.

It is a program of its own, of another Python than ours most likely: it is typed, never imported. Its exit code says
little (it is 0 when the code that it ran has failed, and when nobody was asked), so that its words are read too.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from facegan import process
from facegan.experiment import Json
from jobs.backends.colab import cells, facts, naming, refusals
from jobs.errors import NotSetUpError
from jobs.refusals import Uncertain

NAME = "colab"
ABSENT = f"pip install {facts.PACKAGE} (Python 3.12 or newer), or without it: facegan-job export colab RUN"
LOOK_EVERY_S = 0.1
_LINE = re.compile(r"^\[(?P<name>[^\]]+)\] (?P<endpoint>\S+) \| Hardware: (?P<hardware>\S+) \|")
_NONE = "No active sessions found on server."
_EMAIL = re.compile(r"^Email: +(\S+@\S+)$", re.MULTILINE)
_VERSION = re.compile(r"^Version: (\S+)$", re.MULTILINE)
_TIMED_OUT = "TimeoutError"
SIGNED_IN_BY = ".config/colab-cli/token.json"
DEFAULT_CREDENTIALS = "application_default_credentials.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a call may take, in seconds: most are asked and answered, some move files, or wait for a machine.

    `stay_s` is how long we listen to a cell that is to go on without us.
    """

    stay_s: float = 1.0
    ask_s: float = 60.0
    move_s: float = 300.0
    create_s: float = 300.0
    cell_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine of the account, as the command lists it. `session` is `None` for one that it knows no name of."""

    endpoint: str
    hardware: str
    session: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one call printed, and its exit code."""

    out: str
    err: str
    code: int

    @property
    def all(self) -> str:
        return f"{self.err}\n{self.out}"


class Colab:
    """The command, as one session's file (`--config`) sees the account.

    Raises, in every verb:
        NotSetUpError: it is not installed.
        Refusal: it says why it did not do it; `Uncertain` when it does not say, or not in time.
    """

    def __init__(self, state: Path, environment: Mapping[str, str], limits: Limits) -> None:
        self._state = state
        self._environment = environment
        self._limits = limits

    def arguments(self, *words: str) -> list[str]:
        """What is typed. There is no secret in it."""
        return [NAME, f"--auth={strategy(self._environment)}", "--config", str(self._state), *words]

    def version(self) -> str:
        said = self._run("version", limit_s=self._limits.ask_s)
        found = _VERSION.search(said.out)
        if said.code or found is None:
            raise refusals.of_text(said.all, "say its version")
        return found[1]

    def require_new_enough(self) -> None:
        """Of a version that leaves nothing behind on this machine."""
        if numbers(version := self.version()) < facts.OLDEST:
            raise NotSetUpError(
                f'the command "{NAME}" is of version {version}, and leaves a process here that keeps machines from '
                "being idle",
                hint=facts.NEWER,
            )

    def user(self) -> str:
        """Whose account it is signed in to."""
        said = self._run("whoami", limit_s=self._limits.ask_s)
        found = _EMAIL.search(said.out)
        if said.code or found is None:
            raise refusals.of_text(said.all, "say who is signed in")
        return found[1]

    def balance(self) -> str:
        """What is left of the account's compute units, in Colab's words, on one line."""
        said = self._run("usage", limit_s=self._limits.ask_s)
        if said.code:
            raise refusals.of_text(said.all, "say what is left of the compute units")
        return "; ".join(line for line in said.out.splitlines() if ": " in line and not line.startswith("[colab]"))

    def machines(self) -> Sequence[Machine]:
        """Every machine of the account.

        An empty list is believed only from whoever was really asked: with no names in its file, the command takes a
        failed sign-in for an account without machines, and ends well.
        """
        said = self._run("sessions", limit_s=self._limits.ask_s)
        if said.code or facts.UNSEEN.part in refusals.without_frames(said.err).lower():
            raise refusals.of_text(said.all, "list its sessions")
        found = [match for line in said.out.splitlines() if (match := _LINE.match(line))]
        if not found and _NONE not in said.out:
            raise refusals.of_text(said.all, "list its sessions")
        return [
            Machine(
                endpoint=each["endpoint"],
                hardware=each["hardware"],
                session=None if each["name"] == "?" else each["name"],
            )
            for each in found
        ]

    def new(self, session: str, gpu: str | None) -> None:
        """Ask for a machine. It is asked for whether or not there is one of this name."""
        said = self._run(*creation(session, gpu), limit_s=self._limits.create_s)
        if said.code or "READY" not in said.out:
            raise refusals.of_text(said.all, "give a machine")

    def await_new(self, session: str) -> None:
        """Wait for a command that asks for this machine, whoever typed it: it outlives us."""
        waited = 0.0
        while any("new" in each and session in each for _, each in process.everyone()):
            if waited > self._limits.create_s:
                raise Uncertain(f'another command asks Colab for "{session}" now', hint="type the same again later")
            time.sleep(LOOK_EVERY_S)
            waited += LOOK_EVERY_S

    def ask(self, session: str, code: str) -> Json:
        """Run this code in the session's kernel; its answer."""
        said = self._cell(session, code, self._limits.cell_s)
        answers = cells.answers(said.out)
        if not answers:
            raise refusals.of_text(said.all, "run a cell")
        return answers[-1]

    def leave_running(self, session: str, code: str) -> None:
        """Have the kernel begin with this code, and go. Where it is at work already, that is as good."""
        said = self._cell(session, code, self._limits.stay_s)
        if _TIMED_OUT not in refusals.without_frames(said.all) and not cells.answers(said.out):
            raise refusals.of_text(said.all, "run a cell")

    def upload(self, session: str, local: Path, remote: str) -> None:
        said = self._run(*carriage(session, str(local), remote), limit_s=self._limits.move_s)
        if said.code:
            raise refusals.of_text(said.all, f"take {remote.rpartition('/')[2]}")

    def download(self, session: str, remote: str) -> bytes | None:
        """A file of the session's machine; `None` when the machine, answering, has none of that name."""
        with tempfile.TemporaryDirectory(dir=self._folder()) as folder:
            local = Path(folder) / "file"
            said = self._run("download", "-s", session, remote, str(local), limit_s=self._limits.move_s)
            if said.code == 0 and local.exists():
                return local.read_bytes()
        if said.code and facts.MISSING.part in refusals.without_frames(said.all).lower():
            return None
        raise refusals.of_text(said.all, f"give {remote.rpartition('/')[2]}")

    def stop(self, session: str) -> None:
        """Give the machine back. Of one that is gone already, it is no error."""
        said = self._run("stop", "-s", session, limit_s=self._limits.ask_s)
        if said.code:
            raise refusals.of_text(said.all, "end the session")

    def _cell(self, session: str, code: str, timeout_s: float) -> Said:
        with tempfile.TemporaryDirectory(dir=self._folder()) as folder:
            path = Path(folder) / "cell.py"
            path.write_text(code, encoding="utf-8")
            return self._run(*execution(session, str(path), timeout_s), limit_s=timeout_s + self._limits.ask_s)

    def _run(self, *words: str, limit_s: float) -> Said:
        """Type it. It is in a session of its own and prints into files, so that it outlives us if we are killed.

        Only one that takes too long is ended: what it was to do may be done, or half done.
        """
        typed = self.arguments(*words)
        program = shutil.which(NAME, path=self._environment.get("PATH", os.defpath))
        if program is None:
            raise NotSetUpError(f'the command "{NAME}" is not installed here', hint=ABSENT)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = subprocess.Popen(  # noqa: S603 - Google's command, arguments made above
                [program, *typed[1:]],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**self._environment, "NO_COLOR": "1", "COLUMNS": "500", "TERMINAL_WIDTH": "500"},
                cwd=self._folder(),
                start_new_session=True,
            )
            try:
                code = child.wait(limit_s)
            except subprocess.TimeoutExpired:
                _end(child)
                raise Uncertain(
                    f"colab {words[0]} does not answer within {limit_s:g} seconds", hint="type the same again later"
                ) from None
            return Said(out=_text(out), err=_text(err), code=code)

    def _folder(self) -> Path:
        self._state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._state.parent


def calls(account: Colab, there: Colab, session: str, gpu: str | None, limits: Limits) -> Sequence[Sequence[str]]:
    """What is typed for a session that is not there yet, where all goes well."""
    folder = naming.folder(session)
    return [
        account.arguments("whoami"),
        there.arguments("sessions"),  # is it there?
        there.arguments("sessions"),  # what is there before it is asked for?
        there.arguments(*creation(session, gpu)),
        there.arguments("sessions"),  # what was given?
        there.arguments(*execution(session, "prepare.py", limits.cell_s)),
        there.arguments(*carriage(session, naming.BUNDLE, f"{folder}/{naming.BUNDLE}")),
        there.arguments(*carriage(session, naming.HANDED, f"{folder}/{naming.HANDED}")),
        there.arguments(*execution(session, "start.py", limits.cell_s)),
        there.arguments(*execution(session, "stay.py", limits.stay_s)),
    ]


def creation(session: str, gpu: str | None) -> Sequence[str]:
    return ("new", "-s", session, *(("--gpu", gpu) if gpu else ()))


def execution(session: str, path: str, timeout_s: float) -> Sequence[str]:
    return ("exec", "-s", session, "-f", path, "--timeout", f"{timeout_s:g}")


def carriage(session: str, local: str, remote: str) -> Sequence[str]:
    return ("upload", "-s", session, local, remote)


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", version)[:3])


def strategy(environment: Mapping[str, str]) -> str:
    """How to sign in: as the command's own token says, or with Google's default credentials where only they are.

    The command's help and its manual name different defaults, so that it is always said.
    """
    home = Path(environment.get("HOME") or Path.home())
    if (home / SIGNED_IN_BY).exists():
        return "oauth2"
    cloud = Path(environment.get("CLOUDSDK_CONFIG") or home / ".config" / "gcloud")
    if environment.get("GOOGLE_APPLICATION_CREDENTIALS") or (cloud / DEFAULT_CREDENTIALS).exists():
        return "adc"
    return "oauth2"


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
