"""`facegan-job ui`."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import Annotated

import typer

from jobs import context as contexts
from jobs import heavy, settings
from jobs.cli import options, output
from jobs.cli.sync import with_news
from jobs.context import Context
from jobs.errors import JobError

HOST = "127.0.0.1"
# Nor does it evaluate language models here, for which it would start a dozen processes.
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
SYNC_EVERY_S = 30


def ui(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="On this port; 0 takes a free one.")] = 5000,
    store: options.Store = None,
) -> int:
    """Open the MLflow UI on this machine, and keep it up to date until Ctrl-C."""
    context = contexts.real(settings.load({"store": store}))
    if not heavy.has("mlflow"):
        raise JobError("MLflow is not installed here", hint="pip install 'facegan-job[track]'")
    if not context.settings.tracking.startswith("sqlite:"):
        output.data(settings.without_password(context.settings.tracking))
        output.say("that server has a UI of its own; facegan-job sync keeps it up to date")
        return 0
    chosen = port or _free_port()
    _require_free(chosen)
    wanted = with_news(context)
    heavy.sync(context, wanted)  # of no runs, it makes the database ready
    children = [_serve(context, chosen)]
    if wanted:
        arguments = heavy.sync_arguments(context, wanted)
        children.append(heavy.start(context, heavy.command(*arguments, "--watch", str(SYNC_EVERY_S))))
    output.data(f"http://{HOST}:{chosen}")
    output.say("Ctrl-C ends it; the runs go on")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        return children[0].wait()
    except KeyboardInterrupt:
        return 0
    finally:
        for child in children:
            _end(child)


def _serve(context: Context, port: int) -> subprocess.Popen[bytes]:
    uri = context.settings.tracking
    artifacts = (context.settings.home / "mlflow" / "artifacts").as_uri()
    arguments = ["--backend-store-uri", uri, "--default-artifact-root", artifacts]
    return subprocess.Popen(  # noqa: S603 - our own interpreter, arguments made above
        [sys.executable, "-P", "-m", "mlflow", "ui", *arguments, "--host", HOST, "--port", str(port), "--workers", "1"],
        env={**heavy.environment(context), **QUIET},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        start_new_session=os.name != "nt",  # its children are ended with it, as one group
    )


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child and what it started: asked first, then without asking."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        _signal(child, signal.SIGTERM)
        child.wait(timeout=10)
    _signal(child, signal.SIGKILL if os.name != "nt" else signal.SIGTERM)


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        if os.name == "nt":
            child.terminate()
        else:
            os.killpg(child.pid, number)  # each child was started as a group of its own


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise JobError(f'port "{port}" is taken', hint="facegan-job ui --port 0 takes a free one") from error
