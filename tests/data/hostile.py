"""Pictures as they come from the world, made here: whole, odd, broken and hostile."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facegan.data.source import Item

SIDE = 24


def colours(seed: int, width: int = SIDE, height: int = SIDE) -> Image.Image:
    """A smooth picture, so that a JPEG of it is close to it."""
    corners = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), dtype=np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR)


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def jpeg(seed: int, width: int = SIDE, height: int = SIDE) -> bytes:
    return encoded(colours(seed, width, height), "JPEG", quality=92)


def png_of(width: int, height: int) -> bytes:
    """A PNG file of a few bytes that says it is as large as that."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def fill(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


class Memory:
    """A source of files, or of pixels, that are simply there."""

    def __init__(self, files: Mapping[str, Any], values: Mapping[str, tuple[int, ...]] | None = None) -> None:
        self.files = files
        self.columns = ("having",) if values else ()
        self.items = [Item(name=name, values=(values or {}).get(name, ()), at=name) for name in files]
        self.skipped: dict[str, int] = {}

    def picture(self, item: Item) -> Any:
        return self.files[item.at]
