"""Small prepared data sets, made without NumPy."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from facegan import layout, prepared
from facegan.prepared import Manifest, Piece
from facegan.storage.base import ObjectStore

NOBODY = "0" * 64


def put_together(
    folder: Path,
    name: str = "my-faces",
    *,
    count: int = 40,
    side: int = 8,
    channels: int = 3,
    columns: tuple[str, ...] = ("smiling", "label"),
    seed: int = 0,
    **more: object,
) -> Manifest:
    """Write the two files into the folder, and describe them. Column k of row i is (i + k) modulo 3."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = random.Random(seed).randbytes(count * side * side * channels)
    rows = [",".join(["name", *columns])]
    rows += [",".join([f"{i}.jpg", *(str((i + k) % 3) for k in range(len(columns)))]) for i in range(count)]
    (folder / layout.IMAGES).write_bytes(prepared.header(count, side, side, channels) + pixels)
    (folder / layout.ATTRIBUTES).write_bytes("".join(f"{row}\n" for row in rows).encode())
    digest, images, attributes = prepared.describe(folder / layout.IMAGES, folder / layout.ATTRIBUTES)
    manifest = Manifest(
        name=name, digest=digest, count=count, height=side, width=side, channels=channels, columns=columns,
        size=side, skipped={"not a picture": 2}, source="42 pictures in a folder", code="test",
        images=images, attributes=attributes,
    )  # fmt: skip
    return replace(manifest, **more)  # type: ignore[arg-type]


def prepare(home: Path, name: str = "my-faces", **more: object) -> Manifest:
    """Prepare a small data set on a machine."""
    partial = home / "data" / name / ".being-made"
    manifest = put_together(partial, name, **more)  # type: ignore[arg-type]
    prepared.install(partial, manifest, home)
    return manifest


def folder_of(home: Path, manifest: Manifest) -> Path:
    return prepared.folder_of(home, manifest.name, manifest.digest)


def fill(store: ObjectStore, home: Path, **more: object) -> Manifest:
    """Put a small data set into a store, by way of a machine's home."""
    manifest = prepare(home, **more)  # type: ignore[arg-type]
    prepared.upload(folder_of(home, manifest), store, lambda _text: None)
    return manifest


def imagined(name: str = "celeba", *, size: int = 64, digest: str = NOBODY, **more: object) -> Manifest:
    """The manifest of an array that nobody made."""
    nothing = Piece.of(b"nothing")
    manifest = Manifest(
        name=name, digest=digest, count=1_000, height=size, width=size, channels=3, columns=("Smiling", "Male"),
        size=size, images=(nothing,), attributes=nothing,
    )  # fmt: skip
    return replace(manifest, **more)  # type: ignore[arg-type]
