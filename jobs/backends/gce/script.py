"""What a session's machine starts with on Compute Engine: where its log goes, what the session is handed, no secret."""

from __future__ import annotations

import urllib.parse

from facegan import layout
from facegan.handed import Handed, Origin
from facegan.storage.cloud import Location
from jobs.backends import vm
from jobs.backends.base import Order
from jobs.backends.gce import listing, naming


def render(order: Order, host: str, zone: str, life: vm.Life) -> str:
    """The script of this session's machine in a zone; `host` is the region or zone that was asked for.

    Raises:
        InvalidJob: it is too large.
    """
    life = life.within(order.limit_s)
    machine = vm.Machine(cloud="gce", name=naming.name(order), log_url=log_url(order), region=zone)
    return vm.render(order, machine, handed(order, host, zone, life), life)


def handed(order: Order, host: str, zone: str, life: vm.Life) -> Handed:
    """The machine's service account lets the session reach its store, so it is handed no credentials."""
    mine = listing.of(naming.name(order), vm.INSTANCE, zone, vm.ACCOUNT, vm.log_key(order))
    return Handed(
        origin=Origin(backend="gce", host=host, ref=mine),
        grace_s=life.grace_s(order.grace_s),
        gpu=order.gpu,
        budget_s=life.session_s,
        cloud="gce",
    )


def log_url(order: Order) -> str:
    """Where the machine sends its log by HTTP (Cloud Storage JSON API, `objects.insert`)."""
    store, _ = layout.split_run_url(order.run_url)
    place = Location.parse(store)
    name = urllib.parse.quote(f"{place.prefix}{vm.log_key(order)}", safe="")
    bucket = urllib.parse.quote(place.bucket, safe="")
    return f"https://storage.googleapis.com/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}"
