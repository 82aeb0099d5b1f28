"""The image of sessions on machines that are new: each has to pull it from somewhere."""

from __future__ import annotations

from facegan.errors import BadInputError


def image(named: str, who: str) -> str:
    """The image's name, with its digest in a registry.

    Raises:
        BadInputError: it is not set, or has none.
    """
    if "@sha256:" in named and "/" in named:
        return named
    said = f'image "{named}" is not named by its digest in a registry' if named else "no image is set"
    raise BadInputError(
        f"{said}, and {who} has to pull it from one",
        hint="facegan-job image push REGISTRY/NAME prints the line for facegan.toml",
    )
