"""Secrets that are worth nothing, and the search for them in every form in which one might come out."""

from __future__ import annotations

import base64
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


def canary(slot: str) -> str:
    """A secret that says where it was planted, with letters in it that URLs and shells write in other ways."""
    return f"Canary/{slot}+of&the=mine"


def forms(secret: str) -> dict[str, bytes]:
    """The secret as it is, URL-encoded in the usual ways, and in base64 wherever it stands in what was encoded."""
    plain = secret.encode()
    found = {
        "plain": plain,
        "url": urllib.parse.quote(secret, safe="").encode(),
        "url, slashes kept": urllib.parse.quote(secret).encode(),
        "url, as a form": urllib.parse.quote_plus(secret).encode(),
        "hex": plain.hex().encode(),
    }
    for shift in range(3):
        standard = base64.b64encode(bytes(shift) + plain)
        whole = slice(-(-shift * 8 // 6) if shift else 0, (shift + len(plain)) * 8 // 6)  # digits of the secret alone
        found[f"base64, {shift} bytes in"] = standard[whole]
        found[f"base64 of URLs, {shift} bytes in"] = base64.urlsafe_b64encode(bytes(shift) + plain)[whole]
    return found


@dataclass(kw_only=True)
class Haystack:
    """Everything that left the process, by where it was found."""

    secrets: Mapping[str, str]
    searched: int = 0
    found: list[str] = field(default_factory=list)

    def search(self, where: str, data: bytes) -> None:
        self.searched += len(data)
        for slot, secret in self.secrets.items():
            self.found += [f"{slot} ({form}) in {where}" for form, needle in forms(secret).items() if needle in data]

    def search_below(self, folder: Path) -> None:
        for path in folder.rglob("*"):
            if path.is_file():
                self.search(str(path), path.read_bytes())


@contextmanager
def arguments_of_everyone() -> Iterator[set[bytes]]:
    """The arguments of every process there is while the block lasts, read as any user of the machine can."""
    seen: set[bytes] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    continue  # it ended meanwhile

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()
