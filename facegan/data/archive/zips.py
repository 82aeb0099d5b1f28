"""Zip archives, each file of which is read at its own header."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facegan.data import skipping
from facegan.data.archive.entry import LARGEST_FILE, Entry, path_of
from facegan.data.skipping import Skip

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
LOCAL_HEADER = 30  # bytes before the name in a zip entry's own header


@dataclass(frozen=True, slots=True)
class Zip:
    """A zip archive, stored or deflated."""

    path: Path

    def entries(self) -> Iterator[Entry | str]:
        """Every file, each as the place of its header, its packed and unpacked size, its packing and its CRC-32."""
        with zipfile.ZipFile(self.path) as archive:
            for found in archive.infolist():
                if found.filename.endswith(("/", "\\")):
                    continue
                sizes = f"{found.compress_size}:{found.file_size}"
                at = f"{found.header_offset}:{sizes}:{found.compress_type}:{found.CRC}"
                yield refused(found) or Entry(name=path_of(found.filename), at=at)

    def read(self, at: str) -> bytes:
        offset, packed, size, method, checksum = map(int, at.split(":"))
        if size == 0:
            raise Skip(skipping.EMPTY)
        if max(size, packed) > LARGEST_FILE:
            raise Skip(skipping.TOO_LARGE)
        with self.path.open("rb") as file:
            file.seek(offset)
            header = file.read(LOCAL_HEADER)
            if len(header) < LOCAL_HEADER or not header.startswith(MAGIC[0]):
                raise Skip(skipping.BROKEN)
            name_and_extra = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            file.seek(name_and_extra, os.SEEK_CUR)
            data = file.read(packed)
        if method == zipfile.ZIP_DEFLATED:
            data = _inflated(data, size)
        if len(data) != size or zlib.crc32(data) != checksum:
            raise Skip(skipping.BROKEN)
        return data

    def unpacked(self, _: Path) -> Zip:
        return self


def refused(found: zipfile.ZipInfo) -> str | None:
    """Return why an entry of a zip archive is no file to be read: no regular one, or encrypted, or oddly packed."""
    kind = stat.S_IFMT(found.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return skipping.LINK
    if kind not in {0, stat.S_IFREG}:
        return skipping.SPECIAL
    if found.flag_bits & 0x1:
        return skipping.ENCRYPTED
    if found.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return skipping.PACKING
    return None


def _inflated(data: bytes, size: int) -> bytes:
    """Inflate to at most `size` bytes, whatever the data would grow to."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size)
    except zlib.error as error:
        raise Skip(skipping.BROKEN) from error
