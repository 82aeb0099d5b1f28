"""What a session's machine starts with on EC2: where its log goes, and what the session is handed, without a secret."""

from __future__ import annotations

import urllib.parse

from facegan import layout
from facegan.experiment import Json
from facegan.handed import Handed, Origin
from facegan.storage.cloud import Location
from jobs.backends import vm
from jobs.backends.base import Order
from jobs.backends.ec2 import naming, role


def render(order: Order, region: str, life: vm.Life) -> str:
    """The script of this session's machine in a region.

    Raises:
        InvalidJob: it is too large.
    """
    life = life.within(order.limit_s)
    machine = vm.Machine(
        cloud="ec2",
        name=naming.name(order),
        log_url=log_url(order, region),
        region=_place(order).options.get("region", region),
    )
    return vm.render(order, machine, handed(order, region, life), life)


def handed(order: Order, region: str, life: vm.Life) -> Handed:
    """The machine's role lets the session reach its store, so it is handed no credentials; its own id comes there."""
    return Handed(
        environment=role.environment(_place(order).options, region),
        origin=Origin(backend="ec2", host=region, ref=ref(order, region, vm.INSTANCE, vm.ACCOUNT)),
        grace_s=life.grace_s(order.grace_s),
        gpu=order.gpu,
        budget_s=life.session_s,
        cloud="ec2",
    )


def ref(order: Order, region: str, instance: str, account: str) -> Json:
    """What a session's machine is known by, to whoever made it and to itself."""
    return naming.ref(instance, region, account, vm.log_key(order))


def log_url(order: Order, region: str) -> str:
    """Where the machine puts its log by HTTP: the bucket's name is in the path, as it may have dots."""
    place = _place(order)
    where = place.options.get("region", region)
    domain = "amazonaws.com.cn" if where.startswith("cn-") else "amazonaws.com"
    endpoint = place.options.get("endpoint", f"https://s3.{where}.{domain}").rstrip("/")
    key = f"{place.prefix}{vm.log_key(order)}"
    return f"{endpoint}/{place.bucket}/{urllib.parse.quote(key)}"


def _place(order: Order) -> Location:
    store, _ = layout.split_run_url(order.run_url)
    return Location.parse(store, options=("endpoint", "region"))
