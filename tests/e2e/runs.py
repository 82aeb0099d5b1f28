"""A user with a home of their own, and short runs of a real experiment."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from facegan import layout
from facegan.ledger import Fold, Wish
from facegan.verify import verify
from jobs import context as contexts
from jobs import launch, recipe, settings
from jobs.context import Context
from tests.e2e import children, outcome
from tests.e2e.children import Moment

RUN = "a-run"
STEPS = 48
SHORT = (
    f"training.steps={STEPS}",
    "training.batch_size=8",
    "training.threads=1",
    "checkpoint.every_steps=8",
    "checkpoint.keep=2",
    "samples.every_steps=16",
    "samples.count=4",
    "evaluation.metric=none",
    "evaluation.every_steps=24",
    "evaluation.count=64",
    "session.heartbeat_s=0.1",
    "session.lease_s=600",
)
HURRIED = 600  # seconds of the lease above: whoever waits for it is noticed


# A terminal lets Ctrl-C through; what starts tests in the background may have it ignored, which children inherit.
TYPED = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from jobs.cli import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody with a home, who types commands and starts sessions."""

    home: Path

    @property
    def context(self) -> Context:
        return contexts.real(settings.load(environment={"FACEGAN_HOME": str(self.home)}, folder=self.home))

    @property
    def url(self) -> str:
        return layout.run_url(self.context.store.url, RUN)

    def create(self, *more: str) -> None:
        chosen = recipe.resolve("dcgan-mnist", [*SHORT, *more], device="cpu", cores=1)
        launch.create(self.context, RUN, chosen)

    def ask(self) -> int:
        """Append the intent for one more session; its number."""
        ledger = self.context.ledger(RUN)
        number = ledger.refresh().newest + 1
        wishes = [Wish(kind="intent", body={"session": number, "backend": "local", "resume": True})]
        ledger.append(lambda _fold: wishes.pop() if wishes else None)
        return number

    def bury(self) -> Fold:
        return launch.bury(self.context, self.context.ledger(RUN))

    def start(self, number: int | None = None, moment: Moment | None = None) -> children.ForkServerProcess:
        return children.start(self.home, self.url, number, moment)

    def session(self, number: int | None = None, moment: Moment | None = None) -> int:
        """Run one session to its end; its exit code."""
        return children.end_of(self.start(number, moment))

    def resume(self) -> int:
        """What `resume` does, with a session that is forked and not started afresh."""
        return self.session(None if self.bury().finished else self.ask())

    def fold(self) -> Fold:
        return self.context.ledger(RUN).refresh()

    def outcome(self) -> outcome.Outcome:
        return outcome.outcome(self.home, RUN)

    def kinds(self) -> list[str]:
        return outcome.kinds(self.home, RUN)

    def is_whole(self) -> bool:
        verdict = verify(self.context.ledger(RUN))
        assert not verdict.wrong, verdict.wrong
        return verdict.steps == STEPS

    def environment(self) -> dict[str, str]:
        return {**os.environ, **children.ENVIRONMENT, "FACEGAN_HOME": str(self.home)}

    def type(self, *arguments: str, **how: object) -> subprocess.Popen[str]:
        """Type a command, in a terminal of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", TYPED, *arguments],
            env=self.environment(),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **how,  # type: ignore[call-overload]
        )

    def command(self, *arguments: str) -> Answer:
        """Type a command and wait for its end."""
        began = time.monotonic()
        child = self.type(*arguments)
        out, err = child.communicate(timeout=600)
        assert "Traceback" not in err, err
        return Answer(code=child.returncode, out=out, err=err, took_s=time.monotonic() - began)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a command ended, what it said and how long it took."""

    code: int
    out: str
    err: str
    took_s: float


def experiment(*more: str) -> list[str]:
    """`--set` for each of the short run's settings, as one types them."""
    return [word for setting in (*SHORT, *more) for word in ("--set", setting)]


def at(harm: children.Harm, kind: str = "state", count: int = 3) -> Moment:
    return dataclasses.replace(Moment(kind=kind, count=count), harm=harm)
