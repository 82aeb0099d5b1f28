"""The largest face is cut out of a picture; the detector's weights are checked before anything of it runs."""

from __future__ import annotations

import importlib.util
import io
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facegan.data import faces
from facegan.data.faces import Box, Pixels
from facegan.data.skipping import NO_FACE
from facegan.errors import BadInputError, DamagedError


@pytest.fixture(scope="module")
def installed() -> Path:
    """The folder of the package `mtcnn`."""
    spec = importlib.util.find_spec("mtcnn")
    if spec is None and os.environ.get("CI") != "true":
        pytest.skip("mtcnn is not installed: pip install 'facegan-job[faces]'")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


@pytest.fixture(scope="module")
def cut(installed: Path) -> Callable[[Pixels], Pixels | str]:
    assert installed.is_dir()
    return faces.cropper()


@pytest.fixture(scope="module")
def portraits(shared: Path) -> list[Image.Image]:
    with zipfile.ZipFile(shared / "congress_faces" / "faces128.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[::100]
        return [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names]


def canvas(*placed: tuple[Image.Image, tuple[int, int], int], size: tuple[int, int] = (400, 300)) -> Pixels:
    """Portraits at (left, top) and of a side, on grey."""
    whole = Image.new("RGB", size, (90, 90, 90))
    for picture, at, side in placed:
        whole.paste(picture.resize((side, side)), at)
    return np.asarray(whole)


def place(crop: Pixels | str, whole: Pixels) -> tuple[float, float, int]:
    """Where a crop was cut out: the x and y of its middle, and its side."""
    assert not isinstance(crop, str)
    assert np.shares_memory(crop, whole)
    assert crop.shape == (crop.shape[0], crop.shape[0], 3)
    offset = crop.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    top, left = divmod(offset // 3, whole.shape[1])
    return left + len(crop) / 2, top + len(crop) / 2, len(crop)


def is_around(crop: Pixels | str, whole: Pixels, at: tuple[int, int], side: int) -> bool:
    """Whether a crop is the face of a portrait that fills a square; the faces are in the middle of theirs."""
    x, y, length = place(crop, whole)
    middle = max(abs(x - at[0] - side / 2), abs(y - at[1] - side / 2)) < 0.15 * side
    return middle and 0.7 * side < length < 1.2 * side


@pytest.mark.parametrize(("at", "side"), [((0, 0), 128), ((260, 160), 128), ((30, 90), 200), ((330, 10), 70)])
def test_a_face_is_found_wherever_it_is(
    cut: Callable[[Pixels], Pixels | str], portraits: list[Image.Image], at: tuple[int, int], side: int
) -> None:
    assert len(portraits) == 6
    for picture in portraits:
        whole = canvas((picture, at, side))
        assert is_around(cut(whole), whole, at, side)


def test_the_largest_of_several_is_taken(cut: Callable[[Pixels], Pixels | str], portraits: list[Image.Image]) -> None:
    for small, large in zip(portraits, portraits[::-1], strict=True):
        whole = canvas((small, (10, 20), 80), (large, (150, 60), 200))
        assert is_around(cut(whole), whole, (150, 60), 200)


def test_a_large_picture_is_searched_small_and_cut_large(
    cut: Callable[[Pixels], Pixels | str], portraits: list[Image.Image]
) -> None:
    whole = canvas((portraits[2], (900, 300), 700), size=(2000, 1100))
    assert is_around(cut(whole), whole, (900, 300), 700)


@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (13, 13), (2, 300), (300, 2), (1, 5000), (64, 900), (128, 128)])
def test_no_face_is_a_reason_at_any_size(cut: Callable[[Pixels], Pixels | str], shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert cut(noise) == NO_FACE
    assert cut(np.zeros_like(noise)) == NO_FACE


sides = st.integers(1, 300)
places = st.floats(-400, 400)


@given(
    height=sides,
    width=sides,
    boxes=st.lists(
        st.builds(Box, left=places, top=places, width=st.floats(0.1, 500), height=st.floats(0.1, 500)), max_size=3
    ),
)
def test_a_crop_is_a_square_inside_the_picture(height: int, width: int, boxes: list[Box]) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    crop = faces.cut_out(pixels, boxes)
    if isinstance(crop, str):
        assert crop == NO_FACE
        return
    assert np.shares_memory(crop, pixels)
    face = max(boxes, key=lambda box: box.width * box.height)
    side = min(round(1.3 * max(face.width, face.height)), height, width)
    assert crop.shape == (side, side, 3)


def test_the_margin_is_even_where_there_is_room() -> None:
    pixels = np.arange(100 * 100 * 3, dtype=np.uint32).astype(np.uint8).reshape(100, 100, 3)
    crop = faces.cut_out(pixels, [Box(left=0, top=0, width=5, height=5), Box(left=40, top=30, width=20, height=40)])
    assert np.array_equal(crop, pixels[24:76, 24:76])  # 40 and 6 on each side, around (50, 50)


def test_weights_that_were_changed_are_not_loaded(installed: Path, tmp_path: Path) -> None:
    changed = tmp_path / "mtcnn"
    shutil.copytree(installed, changed)
    assert [path.name for path in faces.checked_weights(changed)] == ["pnet.lz4", "rnet.lz4", "onet.lz4"]
    path = changed / "assets" / "weights" / "rnet.lz4"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    # the changed package is the one that Python finds, and it would tell if it were imported
    (changed / "__init__.py").write_text("raise SystemExit('imported')")
    code = (
        "from facegan.data import faces; from facegan.errors import DamagedError\n"
        "try: faces.cropper()\n"
        "except DamagedError as error: print(error.message)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f'"{path}" is not the file of mtcnn 1.0.0' in done.stdout
    path.unlink()
    with pytest.raises(DamagedError, match=r"rnet\.lz4.*SHA-256 missing") as caught:
        faces.checked_weights(changed)
    assert caught.value.hint == "pip install --force-reinstall --no-deps mtcnn==1.0.0"


class Trap:
    """A pickle that leaves a mark."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, ("sprung",)


def test_a_file_of_that_name_in_the_current_folder_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: Callable[[Pixels], Pixels | str]
) -> None:
    assert cut
    monkeypatch.chdir(tmp_path)
    for name in faces.WEIGHTS:
        Path(name).write_bytes(pickle.dumps(Trap()))
    assert faces.cropper()(np.zeros((64, 64, 3), np.uint8)) == NO_FACE
    assert not Path("sprung").exists()


def test_without_the_package_the_hint_is_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(BadInputError, match='"mtcnn", and it is not installed') as caught:
        faces.cropper()
    assert "facegan-job[faces]" in str(caught.value.hint)
