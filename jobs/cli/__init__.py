"""`facegan-job`: one module a command, none of which does more than ask and print.

Only the module of the command that was typed is loaded, unless help is asked for: all of them together take
longer to load than most commands to answer.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterable
from typing import Any

import typer

from facegan.errors import FaceganError
from jobs.cli import output
from jobs.errors import Exit, exit_of

COMMANDS = (
    "submit",
    "resume",
    "ps",
    "status",
    "logs",
    "stop",
    "cancel",
    "wait",
    "watch",
    "rehearse",
    "sync",
    "ui",
    "verify",
    "chaos",
    "prune",
    "reap",
    "rm",
    "pull",
    "sample",
    "report",
    "export",
    "experiments",
    "plan",
    "backends",
    "gpus",
    "doctor",
    "init",
)
"""Each a function of its own name, in a module of its own name."""

GROUPS = ("data", "credentials", "image")
"""Each a module with an `app` of several commands."""

UsageError: Any = typer.BadParameter.__bases__[0]  # Typer's own; it exports no name for it


def program(names: Iterable[str] = (*COMMANDS, *GROUPS)) -> typer.Typer:
    """The command line with these commands."""
    app = typer.Typer(
        name="facegan-job",
        rich_markup_mode=None,  # Rich costs a tenth of a second at every start
        pretty_exceptions_enable=False,
        add_completion=False,
        no_args_is_help=True,
    )

    @app.callback()
    def facegan_job() -> None:  # a program of one command would else be that command
        """Train face-generating GANs on GPUs that will be taken away, and lose nothing."""

    for name in names:
        module = importlib.import_module(f"jobs.cli.{name}")
        if name in GROUPS:
            app.add_typer(module.app, name=name)
        else:
            app.command()(getattr(module, name))
    return app


def main() -> None:
    """Run one command, and turn whatever it raises into two lines and an exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of a command; whatever it raises has been said by then."""
    try:
        typed = arguments[:1]
        app = program(typed) if typed and typed[0] in {*COMMANDS, *GROUPS} else program()
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
