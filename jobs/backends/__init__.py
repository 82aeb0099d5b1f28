"""The places where sessions run, by name. Loaded when first used."""

from __future__ import annotations

import importlib
from types import MappingProxyType

from facegan.experiment import unknown
from jobs.backends.base import Backend
from jobs.settings import Settings

BACKENDS = MappingProxyType({"local": "jobs.backends.local:LocalBackend"})


def open_backend(name: str, settings: Settings) -> Backend:
    """The backend of that name.

    Raises:
        BadInputError: there is none; the known ones are listed.
    """
    if name not in BACKENDS:
        raise unknown("backend", name, BACKENDS)
    module, _, kind = BACKENDS[name].partition(":")
    backend: Backend = getattr(importlib.import_module(module), kind)(settings)
    return backend
