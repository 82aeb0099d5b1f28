"""docs/kaggle.md, typed: from a token to a run that is verified; and what anybody could see of it while it trains."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from facegan.ledger import State
from jobs import orders
from jobs.context import Context
from jobs.errors import Exit
from tests.cloud.proxy import Asked, Fault, Plan, Proxy
from tests.container.moments import Moment
from tests.e2e.children import kind_of
from tests.e2e.runs import SHORT
from tests.fakes.kaggle import Kaggle
from tests.kaggle import world
from tests.kaggle.submitting import UNHURRIED
from tests.security.canaries import Haystack, canary
from tests.waiting import until

RUN = "digits"
PAGE = (Path(__file__).parents[2] / "docs" / "kaggle.md").read_text(encoding="utf-8")
LONG = 160  # steps, of which a stop is to save the most
OURS = f'facegan-job() {{ {shlex.quote(sys.executable)} -P -c "{UNHURRIED}; from jobs.cli import main; main()" "$@"; }}'
SECRETS = {
    "the bucket's key": canary("key"),
    "Kaggle's token": "KGAT_canary_of_a_token",
}  # a slash would make it a path


@pytest.fixture
def context(
    kaggle: Kaggle, between: Proxy, monkeypatch: pytest.MonkeyPatch, boring_environment: Path
) -> Iterator[Context]:
    kaggle.account.token = SECRETS["Kaggle's token"]
    kaggle.set(queue_s=5.0, dataset_hidden_s=0.0, dataset_processing_s=0.0)
    monkeypatch.setattr(orders, "SHORTEST_GRACE_S", 2.0)
    with world.bucket(monkeypatch) as store:
        yield world.signed_in(kaggle, store.replace(between.upstream, between.url), boring_environment, monkeypatch)


def typed(line: str, variables: dict[str, str]) -> tuple[int, str]:
    """One line of the page, by a shell; its exit code, and what it said."""
    done = subprocess.run(
        ["bash", "-c", f"{OURS}\n{line}"], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, f"$ {line}\n{done.stderr}"
    return done.returncode, done.stdout + done.stderr


def lines(context: Context, kaggle: Kaggle) -> Iterator[str]:
    """As on the page, for this user: the run shortened, with her own token and bucket."""
    (block,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    short = " ".join(f"--set {word}" for word in (*SHORT, f"training.steps={LONG}"))
    hers = {
        "KGAT_your_token": shlex.quote(kaggle.account.token),
        "s3://my-bucket/gans": shlex.quote(context.store.url),
        "submit dcgan-mnist": f"submit dcgan-mnist {short}",
    }
    for line in block.splitlines():
        mine = line
        for theirs, own in hers.items():
            mine = mine.replace(theirs, own)
        yield mine


def shown_while_it_trains(haystack: Haystack) -> None:
    """The arguments and the environment of every process of this machine, of the session's too."""
    for path in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")):
        with contextlib.suppress(OSError):  # it has ended
            haystack.search(str(path), path.read_bytes())


def shown_at_kaggle(haystack: Haystack, kaggle: Kaggle) -> None:
    """What Kaggle keeps and shows of sessions, and what was asked of it; but the private file, and who asked."""
    for request in kaggle.faults.requests:
        if not request.call.endswith("IntrospectToken"):
            haystack.search(request.call, repr(request.body).encode())
    for session in kaggle.kernels.sessions():
        haystack.search("a log", session.log.plain().encode())
        haystack.search("a script", session.wish.source.encode())


def stops_before_its_end(context: Context) -> Plan:
    """However fast it is, the first session has no second checkpoint before it can have heard of the stop."""
    beats: list[Asked] = []

    def act() -> None:
        until(lambda: world.fold(context, RUN).stop)
        heard = len(beats) + 2
        until(lambda: len(beats) >= heard)

    moment = Moment(kind="state", count=2, act=act)

    def plan(asked: Asked) -> Fault | None:
        if f"/runs/{RUN}/" not in asked.target:
            return None
        beats.extend([asked] if kind_of(asked.verb, asked.target) == "heartbeat" else [])
        return moment(asked)

    return plan


def test_the_page_from_a_token_to_a_run_that_is_whole(kaggle: Kaggle, context: Context, between: Proxy) -> None:
    between.plan = stops_before_its_end(context)
    variables = {
        "AWS_SECRET_ACCESS_KEY": SECRETS["the bucket's key"],
        "HOME": str(context.settings.home),
        "KAGGLE_API_TOKEN": "",
    }
    haystack, told = Haystack(secrets=SECRETS), list[tuple[str, str]]()
    exports = []
    for line in lines(context, kaggle):
        if line.startswith("export "):
            exports.append(line)
            continue
        if " stop " in line:
            until(lambda: world.fold(context, RUN).reached >= 8)
            shown_while_it_trains(haystack)
            assert kaggle.session(world.name(context, 1, RUN)).status == "RUNNING"
        code, said = typed("\n".join([*exports, line]), variables)
        stopped = told and " stop " in told[-1][0]
        expected = Exit.NOT_FINISHED if stopped else Exit.OK
        assert code == expected or " doctor" in line, f"$ {line}\n{said}"  # which looks at all of this machine
        told.append((line, said))
    assert told[0][0] == "facegan-job doctor"
    assert "kaggle: account" in told[0][1]
    assert "ada, by KAGGLE_API_TOKEN" in told[0][1]
    assert world.fold(context, RUN).state is State.FINISHED
    restored, reports = (world.said(context, kind, RUN) for kind in ("restored", "report"))
    assert restored[1]["step"] == reports[0]["step"] < LONG, "steps were lost at a stop"
    shown_at_kaggle(haystack, kaggle)
    for key in context.store.list(""):
        haystack.search(key, context.store.get(key))
    haystack.search("what commands said", "".join(said for _, said in told).encode())
    assert haystack.searched > 1_000_000
    assert not haystack.found
