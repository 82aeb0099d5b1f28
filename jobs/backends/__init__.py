"""The places where sessions run, by name. Loaded when first used."""

from __future__ import annotations

import importlib
from types import MappingProxyType

from facegan.setting import unknown
from jobs.backends.base import Backend
from jobs.settings import Settings

BACKENDS = MappingProxyType(
    {
        "local": "jobs.backends.local:LocalBackend",
        "docker": "jobs.backends.docker:DockerBackend",
        "kaggle": "jobs.backends.kaggle.backend:KaggleBackend",
        "colab": "jobs.backends.colab.backend:ColabBackend",
        "ec2": "jobs.backends.ec2.backend:Ec2Backend",
        "batch": "jobs.backends.batch.backend:BatchBackend",
        "gce": "jobs.backends.gce.backend:GceBackend",
        "gradient": "jobs.backends.gradient.backend:GradientBackend",
    }
)


def open_backend(name: str, settings: Settings, *, host: str | None = None) -> Backend:
    """The backend of that name, and where it has several engines, regions or accounts, the one called `host`.

    Nothing is asked of it yet.

    Raises:
        BadInputError: there is none; the known ones are listed.
    """
    if name not in BACKENDS:
        raise unknown("backend", name, BACKENDS)
    if (stand_in := settings.stand_in(name)) is not None:
        return stand_in
    module, _, kind = BACKENDS[name].partition(":")
    backend: Backend = getattr(importlib.import_module(module), kind)(settings, host)
    return backend
