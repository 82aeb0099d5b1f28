"""`python -m bench [NAME…]`: run the measurements and print them as tables."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Iterator

TABLES = {
    "training": ("experiment", "loop", "ms a step", "ours is faster by"),
    "checkpointing": ("experiment", "blocked", "in all"),
    "storing": ("state", "up: ours, aws s3 cp", "down: ours, aws s3 cp", "training beside: ours, aws s3 cp", "blocked"),
    "startup": ("session", "first new step after", "ratio to cold"),
    "preparing": ("pictures", "plain loop, µs an image", "ours, µs an image", "at best on 2 cores"),
    "image": ("what", "how much"),
    "container": ("session", "ms a step", "rate against outside", "from submit to the first step"),
    "supervising": ("what", "how much"),
    "listing": ("ended runs", "ps, nothing remembered", "ps, from then on", "ratio to none"),
}


def main(names: list[str]) -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    for name in names or TABLES:
        print(f"### {name}\n\n{_line(TABLES[name])}\n{_line(['---'] * len(TABLES[name]))}", flush=True)
        rows: Iterator[tuple[str, ...]] = importlib.import_module(f"bench.{name}").rows()
        for row in rows:
            print(_line(row), flush=True)
        print()


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


main(sys.argv[1:])
