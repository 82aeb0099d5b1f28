"""A session: it waits, runs, is cut off or ends, is saved, and is over."""

from __future__ import annotations

import secrets
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.fakes import rooted
from tests.fakes.kaggle import sandbox
from tests.fakes.kaggle.accounts import Account, used_s
from tests.fakes.kaggle.clock import TICK, Clock
from tests.fakes.kaggle.log import Log
from tests.fakes.kaggle.rules import ENDED, HOUR, Rules
from tests.fakes.kaggle.sandbox import Machine

CUT, CANCELLED, DELETED, ENDED_BY_ITSELF = "cut off", "cancelled", "deleted", "ended"
SAVED = (
    "[NbConvertApp] Converting notebook __notebook__.ipynb to html\n",
    "[NbConvertApp] Writing 262144 bytes to __results__.html\n",
)  # [F] a log ends with such lines, whatever became of the script


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be run, after the service has made of the request what it makes of it."""

    source: str
    shape: str  # the accelerator that was granted; "" for none
    internet: bool
    limit_s: float  # in Kaggle's seconds
    inputs: Mapping[str, Path]
    folder: Path


class Session:
    """One of a kernel's, in a thread and a process group of its own. `status` is what the service would say."""

    def __init__(self, number: int, account: Account, wish: Wish, rules: Rules, clock: Clock) -> None:
        self.number, self.account, self.wish = number, account, wish
        self.status = "QUEUED"
        self.failure = ""
        self.log = Log()
        self.container = f"kaggle_{secrets.token_hex(8)}-{number}-webtier"  # [F]
        self.token = f"KGAT_session_{secrets.token_hex(12)}"
        self.secrets = {self.token, *(f"{name}_{secrets.token_hex(12)}" for name in ("proxy", "secrets"))}
        self.ran: tuple[float, float] | None = None
        self.why = ""
        self._rules, self._clock = rules, clock
        self._began: float | None = None
        self._ended_by: str | None = None
        self._outputs: list[str] = []
        self.bug: str | None = None
        self._stop = threading.Event()  # cancelled or deleted
        self._gone = threading.Event()  # deleted
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._live, name=f"kaggle session {number}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def over(self) -> bool:
        return self.status in ENDED

    @property
    def gpu(self) -> bool:
        return bool(self.wish.shape) and not self.wish.shape.startswith("Tpu")

    @property
    def outputs_folder(self) -> Path:
        return self.wish.folder / "outputs"

    def charged(self) -> tuple[float, float] | None:
        """From when to when it used its accelerator, up to now."""
        if self.ran is not None:
            return self.ran
        return None if self._began is None else (self._began, self._clock.now())

    def cancel(self) -> None:
        """Ask for the end: killed at once, its output saved bit by bit [R]."""
        with self._lock:
            if not self.over and self._ended_by is None:
                self.status, self._ended_by = "CANCEL_REQUESTED", CANCELLED
        self._stop.set()

    def doom(self) -> None:
        """The end, soon, and nothing is kept."""
        with self._lock:
            self._ended_by = DELETED
        self._gone.set()
        self._stop.set()

    def destroy(self) -> None:
        """The end, now: nothing is left when this returns."""
        self.doom()
        self._thread.join()

    def outputs(self) -> list[str]:
        """Names of the files that are offered now: of a session being cancelled, half of them."""
        names = self._outputs
        return names[: len(names) // 2] if self.status == "CANCEL_REQUESTED" else names if self.over else []

    def kept_log(self) -> str:
        """The log of an ended session, or nothing."""
        return self.log.text() if self.over and (self.why != CUT or "log" in self._rules.kept_at_cap) else ""

    def _live(self) -> None:
        try:
            self._wait_and_run()
        except Exception as error:
            self.bug, self.status = repr(error), "ERROR"
            raise
        finally:
            self.account.session_tokens.discard(self.token)
            self.log.close()

    def _wait_and_run(self) -> None:
        """The machine is built while it is queued, so that what it takes here is not taken from the session."""
        due = self._clock.now() + self._rules.queue_s
        machine = self._machine()
        process = sandbox.start(machine)
        try:
            if self._clock.wait_until(due, self._stop) or not self._built(machine, process):
                self._saved(self._ended_by or DELETED, exit_code=0)
                return
            readers = [_reader(process.stdout, "stdout", self.log), _reader(process.stderr, "stderr", self.log)]
            self._begin(process)
            why = self._until_over(process)
        finally:
            rooted.kill(process)
        for reader in readers:
            reader.join()
        self._saved(why, exit_code=process.returncode)

    def _built(self, machine: Machine, process: subprocess.Popen[bytes]) -> bool:
        while not sandbox.is_ready(machine, process):
            if self._stop.wait(TICK):
                return False
        return True

    def _begin(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            if self._ended_by is None:
                self.status = "RUNNING"
        self.account.session_tokens.add(self.token)
        self._began = self._clock.now()
        self.log.begin()
        sandbox.go(process)

    def _until_over(self, process: subprocess.Popen[bytes]) -> str:
        assert self._began is not None
        while not self._stop.is_set():
            try:
                process.wait(TICK)
            except subprocess.TimeoutExpired:
                if self._clock.now() >= self._began + self.wish.limit_s or self._is_over_quota():
                    return CUT
            else:
                return ENDED_BY_ITSELF
        return self._ended_by or DELETED

    def _is_over_quota(self) -> bool:
        """By what others of the account have used, and this one until now."""
        if not self.gpu or not self._rules.cut_at_quota or self._began is None:
            return False
        first, last = self._clock.week()
        week = (self._clock.seconds(first), self._clock.seconds(last))
        used = used_s([*self.account.spent, (self._began, self._clock.now())], week)
        return used >= self.account.gpu_hours * HOUR

    def _saved(self, why: str, *, exit_code: int) -> None:
        self.why = why
        if self._began is not None:
            self.ran = (self._began, self._clock.now())
            self.account.spent += [self.ran] if self.gpu else []
        if why == CUT:
            self.failure = "Your notebook exceeded its time limit"
        if why == ENDED_BY_ITSELF:
            for line in SAVED:
                self.log.add("stderr", line)
        if why in {ENDED_BY_ITSELF, CANCELLED} or (why == CUT and "outputs" in self._rules.kept_at_cap):
            self._keep_outputs()
        if why == ENDED_BY_ITSELF:
            self._clock.wait_until(self._clock.now() + self._rules.saving_s, self._stop)
        if self._ended_by == CANCELLED:
            self._clock.wait_until(self._clock.now() + self._rules.cancelling_s, self._gone)
        self.account.session_tokens.discard(self.token)
        with self._lock:
            self.status = self._final(why, exit_code)

    def _final(self, why: str, exit_code: int) -> str:
        if self._ended_by is not None:
            return "CANCEL_ACKNOWLEDGED"
        return self._rules.status_at_cap if why == CUT else "COMPLETE" if exit_code == 0 else "ERROR"

    def _keep_outputs(self) -> None:
        """Plain files only: links, empty folders and the right to be executed are dropped [R]."""
        working = self.wish.folder / "kaggle" / "working"
        files = [path for path in sorted(working.rglob("*")) if path.is_file() and not path.is_symlink()]
        if sum(path.stat().st_size for path in files) > self._rules.output_bytes:
            return
        for path in files:
            kept = self.outputs_folder / path.relative_to(working)
            kept.parent.mkdir(parents=True, exist_ok=True)
            path.rename(kept)
            kept.chmod(0o644)
        self._outputs = [str(path.relative_to(working)) for path in files]

    def _machine(self) -> Machine:
        proxy, user = sorted(self.secrets - {self.token})
        environment = {
            "KAGGLE_KERNEL_RUN_TYPE": "Batch",
            "KAGGLE_CONTAINER_NAME": self.container,
            "KAGGLE_API_V1_TOKEN": sandbox.TOKEN_FILE,
            "KAGGLE_URL_BASE": "https://www.kaggle.com",
            "KAGGLE_DATA_PROXY_URL": "https://dp.kaggle.net",
            "KAGGLE_DATA_PROXY_TOKEN": proxy,
            "KAGGLE_USER_SECRETS_TOKEN": user,
            "KAGGLE_KERNEL_INTEGRATIONS": "",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "MPLBACKEND": "agg",
            "PYTHONUSERBASE": f"{sandbox.HOME}/.local",
            **self._rules.environment,
        }
        wish = self.wish
        return Machine(
            folder=wish.folder, source=wish.source, inputs=wish.inputs, environment=environment,
            token=self.token, gpus=self.gpu, internet=wish.internet,
        )  # fmt: skip


def _reader(pipe: IO[bytes] | None, stream: str, log: Log) -> threading.Thread:
    assert pipe is not None

    def read(pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                log.add(stream, line.decode(errors="replace"))

    thread = threading.Thread(target=read, args=(pipe,), daemon=True)
    thread.start()
    return thread
