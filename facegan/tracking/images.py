"""Pictures, under the names MLflow's image grid looks for.

`MlflowClient.log_image` draws a new name at every call, so a repeated sync would show every picture
again. These names are of the same pattern (a test holds them against a real `log_image`), with what
is random there derived from the run, the picture and its step: a repetition overwrites.
"""

from __future__ import annotations

import io
import re
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from facegan.tracking.server import Server

FOLDER = "images"
SHOWN_TAG = {"mlflow.loggedImages": "True"}
THUMBNAIL = (256, 256)
_NAMES = uuid.UUID("1d9a2f4e-6f0b-5c3d-8a57-3c1e9b7d2f60")
_PATTERN = re.compile(r"(?P<key>.+)\+step\+(?P<step>\d+)\+timestamp\+\d+\+[0-9a-f-]{36}\.png")


def stem(run_id: str, key: str, step: int, at: int) -> str:
    """The file name of a picture, less its suffix."""
    own = uuid.uuid5(_NAMES, f"{run_id}/{key}/{step}")
    return f"{key.replace('/', '~')}+step+{step}+timestamp+{at}+{own}"


def held(server: Server, run_id: str) -> dict[tuple[str, int], int | None]:
    """The pictures that MLflow has, by key and step, with their sizes."""
    return parse(server.artifacts(run_id, FOLDER))


def parse(names: Mapping[str, int | None]) -> dict[tuple[str, int], int | None]:
    found = ((_PATTERN.fullmatch(name), size) for name, size in names.items())
    return {(match["key"].replace("~", "/"), int(match["step"])): size for match, size in found if match}


def log(server: Server, run_id: str, name: str, png: bytes) -> bool:
    """Write a picture and its small copy; False when it is not a picture.

    The small one goes first: where the large one is, and whole, both are. So a kill between or within
    the two leaves a picture that does not count as held, and is written again.
    """
    small = _small(png)
    if small is None:
        return False
    with tempfile.TemporaryDirectory(prefix="facegan-") as folder:
        for file, data in _files(Path(folder) / name, small, png):
            file.write_bytes(data)
            server.upload(run_id, file, FOLDER)
    return True


def _files(path: Path, small: bytes, png: bytes) -> Iterable[tuple[Path, bytes]]:
    return (path.with_name(f"{path.name}+compressed.webp"), small), (path.with_name(f"{path.name}.png"), png)


def _small(png: bytes) -> bytes | None:
    try:
        with Image.open(io.BytesIO(png)) as image:
            image.thumbnail(THUMBNAIL)
            file = io.BytesIO()
            image.save(file, "WEBP")
            return file.getvalue()
    except (UnidentifiedImageError, OSError):
        return None
