"""Finding the face in a picture and cutting it out: `--crop face`.

The detector is MTCNN (Zhang et al., 2016), as the package `mtcnn` 1.0.0 has it. It carries its weights as
pickles, and it looks for files of their names in the current folder first. So the weights are checked before
anything of the package runs, and it is told their full paths.

It runs TensorFlow, about 0.1 s a picture on one core; one detector a process.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facegan.data.skipping import NO_FACE
from facegan.errors import BadInputError, DamagedError

Pixels = NDArray[np.uint8]

MARGIN = 0.15  # of the box's longer side, on each side: MTCNN's box ends at the hairline and at the chin
LONGEST = 320  # pixels of the picture it looks at: with its smallest face of 20, a sixteenth of the whole

# SHA-256 of the three networks in mtcnn 1.0.0, in the order in which they look.
WEIGHTS: Mapping[str, str] = MappingProxyType(
    {
        "pnet.lz4": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
        "rnet.lz4": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
        "onet.lz4": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
    }
)
STAGES = ("StagePNet", "StageRNet", "StageONet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a face is, in pixels of the picture; it may reach beyond the picture."""

    left: float
    top: float
    width: float
    height: float


def cropper() -> Callable[[Pixels], Pixels | str]:
    """A function that cuts the face out of a picture, or says why it cannot.

    It takes pixels (h, w, 3), uint8, RGB, and returns a square of them (a view, nothing is resized), or the
    reason that there is none. Keep it: making it loads TensorFlow. Use it in one thread.

    Raises:
        BadInputError: The package `mtcnn` is not installed.
        DamagedError: Its weights are not the ones that are known; nothing of it has run.
    """
    detect = _detector(checked_weights(_package()))
    return lambda pixels: cut_out(pixels, detect(pixels))


def cut_out(pixels: Pixels, faces: Sequence[Box]) -> Pixels | str:
    """The square around the largest of the faces, with a margin, wholly inside the picture; or a reason.

    The largest one, because a picture of somebody often has others behind them. A square that would reach
    beyond an edge is moved inside, and made smaller only where the picture itself is: nothing is invented.
    """
    if not faces:
        return NO_FACE
    face = max(faces, key=lambda box: box.width * box.height)
    height, width = pixels.shape[:2]
    side = min(round(max(face.width, face.height) * (1 + 2 * MARGIN)), height, width)
    if side < 1:
        return NO_FACE
    left = _inside(face.left + face.width / 2, side, width)
    top = _inside(face.top + face.height / 2, side, height)
    return pixels[top : top + side, left : left + side]


def _inside(centre: float, side: int, length: int) -> int:
    return min(max(round(centre - side / 2), 0), length - side)


def _package() -> Path:
    # found, not imported: importing it would already run it
    spec = importlib.util.find_spec("mtcnn")
    if spec is None or not spec.submodule_search_locations:
        raise BadInputError(
            'faces are found by the Python package "mtcnn", and it is not installed',
            hint="pip install 'facegan-job[faces]', or another --crop",
        )
    return Path(next(iter(spec.submodule_search_locations)))


def checked_weights(package: Path) -> list[Path]:
    """The detector's weight files inside the folder of the package, in order, each as it was published.

    Raises:
        DamagedError: One of them is missing or is another.
    """
    paths = [package / "assets" / "weights" / name for name in WEIGHTS]
    for path in paths:
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
        if found != WEIGHTS[path.name]:
            raise DamagedError(
                f'"{path}" is not the file of mtcnn 1.0.0 (SHA-256 {found[:16]}…, not {WEIGHTS[path.name][:16]}…); '
                "it is a pickle, and was not loaded",
                hint="pip install --force-reinstall --no-deps mtcnn==1.0.0",
            )
    return paths


def _detector(weights: Sequence[Path]) -> Callable[[Pixels], list[Box]]:
    package, stages = importlib.import_module("mtcnn"), importlib.import_module("mtcnn.stages")
    networks = [
        getattr(stages, stage)(weights=str(path.resolve())) for stage, path in zip(STAGES, weights, strict=True)
    ]
    detector = package.MTCNN(stages=networks)

    def detect(pixels: Pixels) -> list[Box]:
        small = Image.fromarray(pixels)
        small.thumbnail((LONGEST, LONGEST))
        found = detector.detect_faces(np.asarray(small))
        return [_box(face["box"], pixels.shape[1] / small.width, pixels.shape[0] / small.height) for face in found]

    return detect


def _box(found: Sequence[float], across: float, down: float) -> Box:
    left, top, width, height = map(float, found)
    return Box(left=left * across, top=top * down, width=width * across, height=height * down)
