"""The catalogue: every experiment that can be named, with where it comes from."""

from __future__ import annotations

from types import MappingProxyType

from facegan.catalog import cogan, dcgan, mnist, variants
from facegan.catalog.entry import Entry
from facegan.setting import unknown

CATALOG = MappingProxyType(
    {entry.experiment.name: entry for entry in (*mnist.ENTRIES, *cogan.ENTRIES, *dcgan.ENTRIES, *variants.ENTRIES)}
)


def find(name: str) -> Entry:
    """The entry of that name.

    Raises:
        BadInputError: there is none; the known ones are listed.
    """
    if name not in CATALOG:
        raise unknown("experiment", name, CATALOG)
    return CATALOG[name]
