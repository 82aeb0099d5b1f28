"""`facegan-job image`: the image that sessions in containers run."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from facegan import __version__
from facegan.errors import BadInputError
from facegan.setting import unknown
from jobs import address, settings
from jobs.cli import options, output
from jobs.errors import JobError

app = typer.Typer(help="Build, push and list the training image.", rich_markup_mode=None, no_args_is_help=True)

DEVICES = ("cpu", "gpu")
ENGINE = "jobs.engine"  # loaded when an engine is asked: it brings the SDK
IMAGES = "jobs.image"  # and this archives, which no other command does
Device = Annotated[str, typer.Option("--device", help="What it trains on: cpu or gpu.")]
Tag = Annotated[
    str | None, typer.Option("--tag", metavar="NAME", help="What it is called (default: facegan-job:VERSION-DEVICE).")
]


@app.command()
def build(
    device: Device = "cpu",
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="IMAGE", help="Build upon this image, which has Python 3.11 or newer."),
    ] = None,
    tag: Tag = None,
    network: Annotated[str | None, typer.Option("--network", help="Network of the build: host, say.")] = None,
    host: options.Host = None,
    json: options.Json = False,
) -> None:
    """Build the image from the code that is running."""
    images = importlib.import_module(IMAGES)
    plan = images.Plan(device=_known(device), tag=_tag(tag, device), base=base, network=network)
    with _engine(host) as client, _shown() as ticker:
        built = images.build(client, plan, ticker.show)
    if json:
        output.as_json(built.to_json())
        return
    output.say(f"{_size(built)} in all; a session in it: facegan-job submit EXPERIMENT --backend docker")
    output.data(built.reference)


@app.command()
def push(
    repository: Annotated[str, typer.Argument(help="Where to: ghcr.io/me/facegan-job, say.", metavar="REPOSITORY")],
    device: Device = "cpu",
    tag: Tag = None,
    host: options.Host = None,
) -> None:
    """Push the image to a registry, and print the name that pins it."""
    images = importlib.import_module(IMAGES)
    named = _tag(tag, _known(device))
    with _engine(host) as client, _shown() as ticker:
        if named not in {one.reference for one in images.listed(client)}:
            raise BadInputError(f'there is no training image "{named}" on the engine', hint="facegan-job image build")
        pinned = images.push(client, named, repository, ticker.show)
    output.data(pinned)
    output.say(f'sessions run exactly this one with, in facegan.toml: image = "{pinned}"')


@app.command(name="list")
def list_images(host: options.Host = None, json: options.Json = False) -> None:
    """List the training images on the engine."""
    with _engine(host) as client:
        found = importlib.import_module(IMAGES).listed(client)
    if json:
        output.as_json([one.to_json() for one in found])
        return
    rows = (
        (one.reference, one.device, _size(one), _when(one.created), one.version, one.revision[:12], one.id[7:19])
        for one in found
    )
    output.table(("REFERENCE", "DEVICE", "SIZE", "CREATED", "VERSION", "REVISION", "ID"), rows)
    if not found:
        output.say("there is none yet\nhint: facegan-job image build")


@contextlib.contextmanager
def _engine(host: str | None) -> Iterator[Any]:
    """A client of the engine that is meant; what goes wrong with it comes in this project's words."""
    chosen = address.of(settings.load({"host": host}).host or None)
    try:
        engine = importlib.import_module(ENGINE)
    except ModuleNotFoundError as error:
        raise JobError(f'"{error.name}" is not installed here', hint="pip install 'facegan-job[docker]'") from error
    client = engine.connect(chosen)
    with engine.errors(chosen):
        yield client


@contextlib.contextmanager
def _shown() -> Iterator[Any]:
    ticker = output.ticker()
    try:
        yield ticker
    finally:
        ticker.done()


def _known(device: str) -> str:
    if device not in DEVICES:
        raise unknown("device", device, DEVICES)
    return device


def _tag(tag: str | None, device: str) -> str:
    return tag or f"facegan-job:{__version__}-{device}"


def _size(image: Any) -> str:  # noqa: ANN401 - of a module that is loaded late
    return f"{image.size / 1e6:,.0f} MB"


def _when(created: str) -> str:
    return f"{datetime.fromisoformat(created[:19] + 'Z'):%Y-%m-%d %H:%M} UTC"
