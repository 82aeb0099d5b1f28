"""`facegan-job`: one module a command, none of which does more than ask and print."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import typer

from facegan.errors import FaceganError
from jobs.cli import (
    backends,
    cancel,
    credentials,
    data,
    doctor,
    experiments,
    init,
    logs,
    output,
    prune,
    ps,
    pull,
    report,
    resume,
    rm,
    sample,
    status,
    stop,
    submit,
    sync,
    ui,
    verify,
    wait,
)
from jobs.errors import Exit, exit_of

app = typer.Typer(
    name="facegan-job",
    help="Train face-generating GANs on GPUs that will be taken away, and lose nothing.",
    rich_markup_mode=None,  # Rich costs a tenth of a second at every start
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)
for command in (
    submit.submit,
    resume.resume,
    ps.ps,
    status.status,
    logs.logs,
    stop.stop,
    cancel.cancel,
    wait.wait,
    sync.sync,
    ui.ui,
    verify.verify,
    prune.prune,
    rm.rm,
    pull.pull,
    sample.sample,
    report.report,
    experiments.experiments,
    backends.backends,
    doctor.doctor,
    init.init,
):
    app.command()(command)
app.add_typer(data.app, name="data")
app.add_typer(credentials.app, name="credentials")

UsageError: Any = typer.BadParameter.__bases__[0]  # Typer's own; it exports no name for it


def main() -> None:
    """Run one command, and turn whatever it raises into two lines and an exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of a command; whatever it raises has been said by then."""
    try:
        code = app(args=arguments, prog_name="facegan-job", standalone_mode=False)
    except BaseException as error:  # noqa: BLE001 - the last line of the program
        return _said(error)
    return code if isinstance(code, int) else Exit.OK


def _said(error: BaseException) -> int:  # noqa: PLR0911 - one line a kind of error
    """Tell the user of an error, in the words that fit its kind; the exit code."""
    if isinstance(error, FaceganError):
        output.error(error.message, error.hint)
        return exit_of(error)
    if isinstance(error, UsageError):
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "facegan-job"
        output.error(error.format_message(), f"{path} --help")
        return Exit.USAGE
    if isinstance(error, typer.Abort) and not isinstance(error.__cause__, KeyboardInterrupt):
        output.error("not confirmed, so nothing was changed", "--yes answers for you")
        return Exit.ERROR
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        output.say("")
        return Exit.DETACHED
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has seen enough
        return Exit.OK
    if isinstance(error, OSError):
        output.error(f'"{error.filename}": {error.strerror or error}', "choose a folder that can be written")
        return Exit.ERROR
    if not isinstance(error, Exception):
        raise error  # SystemExit, and what tests kill with
    if os.environ.get("FACEGAN_DEBUG"):
        traceback.print_exception(error)
    output.error(f"{type(error).__name__}: {error}", "this is a defect; FACEGAN_DEBUG=1 shows where")
    return Exit.ERROR
