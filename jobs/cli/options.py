"""Options that several commands share: the same name and meaning everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

Store = Annotated[
    str | None,
    typer.Option("--store", help="URL of the store: file:///…, s3://… or gs://… (default: FACEGAN_HOME/store)."),
]
Backend = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="NAME[,NAME…]|auto",
        help="Where the session runs; of several, the first that can; auto: those set up here, as plan has them.",
    ),
]
Watch = Annotated[bool, typer.Option("--watch", help="Carry the run from session to session until it is done.")]
Budget = Annotated[
    float | None,
    typer.Option("--budget", metavar="USD", min=0.0, help="The most that all sessions of the run may cost together."),
]
MaxHours = Annotated[
    float | None,
    typer.Option("--max-hours", metavar="H", min=0.0, help="The most hours that all its sessions may take together."),
]
Price = Annotated[
    float | None,
    typer.Option("--price", metavar="USD", min=0.0, help="What an hour costs where it is not free; else a table says."),
]
Host = Annotated[
    str | None,
    typer.Option("--host", help="Which engine, region or project of the backend: ssh://me@gpu-box, us-east-1."),
]
Gpu = Annotated[
    str | None, typer.Option("--gpu", help="Name of a GPU of the backend, in letters of either case; none: the CPU.")
]
Json = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]
Run = Annotated[str, typer.Argument(help="Id of a run, or the beginning of one.", metavar="RUN")]
Runs = Annotated[list[str], typer.Argument(help="Ids of runs, or their beginnings.", metavar="RUN…")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Do not follow the run.")]
GiveUp = Annotated[
    int | None,
    typer.Option(
        "--give-up",
        metavar="NUMBER",
        min=1,
        help="Go without what this session makes on its copy of the run: its place does not answer, and may never.",
    ),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on until no session is open.")]
