"""Containers on a Docker engine, here or on a machine that can be logged in to."""

from jobs.backends.docker.backend import DockerBackend

__all__ = ["DockerBackend"]
