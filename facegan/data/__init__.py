"""Training images: from what a person downloads to one array, and from that array to a training.

`load` is imported when it is first asked for: it needs what fetches and prepares, and the processes that read
pictures (`facegan.data.readers`) import this package and need none of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facegan.data.images import Images

if TYPE_CHECKING:
    from facegan.data.reading import load

__all__ = ["Images", "load"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what `load` is, and it is only that
    if name != "load":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from facegan.data.reading import load  # noqa: PLC0415 - the point of this function

    return load
