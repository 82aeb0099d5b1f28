"""`python -m facegan data prepare NAME [--from PATH]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from facegan.data.cache import load, prepare
from facegan.home import home


def main(arguments: Sequence[str]) -> int:
    """Fetch a data set, check it, and keep it on this machine."""
    parser = argparse.ArgumentParser(prog="python -m facegan data", description=main.__doc__)
    parser.add_argument("verb", choices=["prepare"])
    parser.add_argument("name")
    parser.add_argument("--from", dest="source", type=Path, help="a file that was fetched by other means")
    asked = parser.parse_args(arguments)
    path = prepare(asked.name, home(), asked.source)
    images = load(asked.name, home())
    sys.stdout.write(f"{asked.name}: {len(images.images):,} images, checked, in {path}\n")
    return 0
