"""`facegan-job data`: prepared data, on this machine and in the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from facegan import layout, prepared
from facegan.catalog.datasets import DATASETS
from facegan.errors import BadInputError, DamagedError
from facegan.prepared import Finding, Manifest
from facegan.storage.base import NotFoundError
from jobs import context as contexts
from jobs import heavy, ingredients, runs, settings
from jobs.cli import options, output
from jobs.context import Context
from jobs.errors import Exit

app = typer.Typer(help="Prepare, list and verify data sets.", rich_markup_mode=None, no_args_is_help=True)


@app.command()
def prepare(  # noqa: PLR0913, PLR0917 - one parameter an option
    name: Annotated[str, typer.Argument(help="Name of a data set, or one of your own for your own pictures.")],
    source: Annotated[
        Path | None, typer.Option("--source", help="What you downloaded: a folder, zip, tar or file.")
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", min=1, max=prepared.MOST_PIXELS, help="Pixels, both ways.")
    ] = None,
    crop: Annotated[str, typer.Option("--crop", help="What is kept: none, reference, center or face.")] = "none",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many images.")] = None,
    domains: Annotated[
        str | None, typer.Option("--domains", metavar="ATTR", help="As many images with this attribute as without.")
    ] = None,
    store: options.Store = None,
) -> int:
    """Make one verified array of a data set, on this machine and in the store."""
    layout.check_dataset(name)
    context = _context(store)
    arguments = ["data", "prepare", name, "--crop", crop, "--store", context.store.url]
    for option, value in (("--source", source and source.absolute()), ("--size", size), ("--limit", limit)):
        arguments += [] if value is None else [option, str(value)]
    arguments += [] if domains is None else ["--domains", domains]
    ticker = output.ticker()
    try:
        code, said = heavy.watched(context, *arguments, show=ticker.show)
    except KeyboardInterrupt:
        ticker.done()
        output.say("stopped; what was done is kept, and the same command goes on")
        raise
    ticker.done()
    output.data(said.rstrip("\n")) if said else None
    return code


@app.command(name="list")
def list_data(store: options.Store = None, json: options.Json = False) -> None:
    """List what is prepared, on this machine and in the store, what is unfinished, and the known sets that are not."""
    context = _context(store)
    made = list(_prepared(context))
    found = (*made, *_unfinished(context), *_known(context, made))
    rows = [{**row, **_licence(row["name"])} for row in found]
    if json:
        output.as_json(rows)
        return
    cells = [_cells(row) for row in sorted(rows, key=lambda row: (row["name"], row["digest"] or ""))]
    output.table(("NAME", "IMAGES", "SHAPE", "CROP", "PART", "DIGEST", "MB", "WHERE"), cells)


@app.command()
def verify(
    address: Annotated[
        str | None, typer.Argument(metavar="[NAME[@DIGEST]]", help="Only this one; its digest may be shortened.")
    ] = None,
    store: options.Store = None,
    json: options.Json = False,
) -> int:
    """Read prepared data whole, on this machine and in the store, and prove that nothing of them is changed."""
    context = _context(store)
    verdicts = []
    for place, name, digest in _chosen(context, address):
        wrong = _verify(context, place, name, digest)
        if wrong is None:
            output.say(f"{name} {digest[:12]} {_WHERE[place]}: {UNFINISHED}, so there is nothing to verify")
            continue
        verdicts.append({"name": name, "digest": digest, "where": place, "wrong": [_said(f) for f in wrong]})
        if not json:
            output.data(f"{name} {digest[:12]} {_WHERE[place]}: {f'{len(wrong)} wrong' if wrong else 'whole'}")
            for found in wrong:
                output.data(f"  wrong  {_said(found)}")
    if not verdicts:
        output.say("there is nothing to verify, on this machine or in the store")
    if json:
        output.as_json(verdicts)
    return Exit.INTEGRITY if any(verdict["wrong"] for verdict in verdicts) else Exit.OK


def _context(store: str | None) -> Context:
    context = contexts.real(settings.load({"store": store}))
    runs.make_home(context)
    return context


HERE, STORED = "here", "store"
UNFINISHED = "not uploaded to its end"
_WHERE = {HERE: "on this machine", STORED: "in the store"}


def _prepared(context: Context) -> Iterator[dict[str, Any]]:
    """A row for each prepared array; one that is damaged says so, and hides no other."""
    here = set(prepared.list_local(context.settings.home))
    stored = set(prepared.list_stored(context.store))
    for name, digest in sorted(here | stored):
        places = [place for place, there in ((HERE, here), (STORED, stored)) if (name, digest) in there]
        try:
            manifest = _manifest(context, places[0], name, digest)
        except NotFoundError:
            yield {"name": name, "digest": digest, "where": places, "state": UNFINISHED}
        except DamagedError as error:
            yield {"name": name, "digest": digest, "where": places, "state": f"damaged: {error.message}"}
        else:
            yield {**_row(manifest), "where": places, "state": "prepared"}


def _unfinished(context: Context) -> Iterator[dict[str, Any]]:
    """A row for each folder that is being made or fetched, or was when its process died."""
    for name, folder, size in prepared.list_unfinished(context.settings.home):
        is_fetched = layout.is_digest(folder.name[1:])
        goes_on = "the next fetch" if is_fetched else f"the same facegan-job data prepare {name}"
        yield {
            "name": name,
            "digest": None,
            "where": [HERE],
            "state": "unfinished",
            "bytes": size,
            "folder": str(folder),
            "next": f"{goes_on} goes on with it; or delete {folder} when nothing works on it",
        }


def _row(manifest: Manifest) -> dict[str, Any]:
    told = manifest.to_json()
    del told["images"], told["attributes"], told["schema"]
    return {**told, "part": manifest.part, "bytes": manifest.size_bytes}


def _licence(name: str) -> dict[str, Any]:
    """That of a known set, in whatever state; of one's own pictures nothing is said."""
    return {"licence": DATASETS[name].licence} if name in DATASETS else {}


def _known(context: Context, made: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """A row for each known set that is `made` neither on this machine nor in the store."""
    whole = {(row["name"], digest) for row in made if row["state"] == "prepared" for digest in (row["digest"], None)}
    for known in DATASETS.values():
        there, hint = ingredients.data_is_here(known.name, context.settings.home)
        if known.package is not None or not (there or (known.name, known.digest) in whole):
            state = "in a package that is installed" if there else "not prepared"
            yield {
                "name": known.name,
                "digest": known.digest,
                "count": known.count,
                "where": [HERE] if there else [],
                "state": state,
                "summary": known.summary,
                "from": known.where,
                "next": None if there else hint,
            }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    where = " and ".join(_WHERE[place] for place in row["where"])
    count = f"{row['count']:,}" if row.get("count") else ""
    shape = f"{row['height']}x{row['width']}x{row['channels']}" if "height" in row else ""
    size = f"{row['bytes'] / 1e6:,.1f}" if "bytes" in row else ""
    if row["state"] != "prepared":
        where = ", ".join(text for text in (where, row["state"], row.get("next")) if text)
    digest = (row["digest"] or "")[:12]
    return (row["name"], count, shape, row.get("crop", ""), row.get("part", ""), digest, size, where)


def _manifest(context: Context, place: str, name: str, digest: str) -> Manifest:
    if place == HERE:
        return prepared.read_local(prepared.folder_of(context.settings.home, name, digest))
    return prepared.read_stored(context.store, name, digest)


def _chosen(context: Context, address: str | None) -> list[tuple[str, str, str]]:
    """Place, name and digest of everything that the address means.

    Raises:
        BadInputError: there is nothing of that name and digest.
    """
    name, _, prefix = (address or "").partition("@")
    wanted = layout.check_dataset(name) if name else None
    places = (
        (HERE, prepared.list_local(context.settings.home, wanted)),
        (STORED, prepared.list_stored(context.store, wanted)),
    )
    found = [(place, *there) for place, addresses in places for there in addresses if there[1].startswith(prefix)]
    if address is not None and not found:
        raise BadInputError(f'there are no prepared data "{address}"', hint="facegan-job data list")
    return sorted(found, key=lambda one: one[1:])


def _verify(context: Context, place: str, name: str, digest: str) -> list[Finding] | None:
    """What is wrong with one copy, a manifest that cannot be read included; `None` where its upload has not ended."""
    output.say(f"reading {name} {digest[:12]} {_WHERE[place]}")
    try:
        if place == HERE:
            return prepared.verify(prepared.folder_of(context.settings.home, name, digest))
        return prepared.verify_stored(context.store, name, digest)
    except NotFoundError:
        return None
    except DamagedError as error:
        return [Finding(object=layout.MANIFEST, how=error.message)]


def _said(found: Finding) -> str:
    return f"{found.object} {found.how}"
