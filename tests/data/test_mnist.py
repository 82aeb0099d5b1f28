"""MNIST is the same in every form that it comes in; what is not it is told apart."""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegan.data.arrays import Arrays
from facegan.data.skipping import Skip
from facegan.data.sources import mnist, open_source
from facegan.errors import BadInputError

# Of the four files as their authors published them, unpacked and packed with gzip.
MD5 = {"train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb"}
MD5["train-labels-idx1-ubyte"] = "a25bea736e30d166cdddb491f175f624"
IMAGES, LABELS = MD5
COUNT = 200


def idx(array: np.ndarray[Any, Any]) -> bytes:
    """An IDX file of bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def arrays(shared: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    with np.load(shared / "mnist" / "mnist.npz", allow_pickle=False) as found:
        return found["x_train"], found["y_train"]


@pytest.fixture(scope="module")
def official(arrays: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two IDX files of the training split, byte for byte as published."""
    folder = tmp_path_factory.mktemp("idx")
    for name, array in zip(MD5, arrays, strict=True):
        content = idx(array)
        assert hashlib.md5(content).hexdigest() == MD5[name]
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def few(arrays: tuple[Any, Any]) -> dict[str, bytes]:
    return {IMAGES: idx(arrays[0][:COUNT]), LABELS: idx(arrays[1][:COUNT])}


def laid(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def pixels(source: Arrays) -> np.ndarray[Any, Any]:
    return np.stack([source.picture(item) for item in source.items])


def test_the_npz_and_the_idx_files_are_the_same_digits(shared: Path, official: Path, arrays: tuple[Any, Any]) -> None:
    of_npz, of_idx = mnist.open_source(shared / "mnist" / "mnist.npz"), mnist.open_source(official)
    assert len(of_npz.items) == 60_000
    assert of_npz.columns == of_idx.columns == ("label",)
    assert [(item.name, item.values) for item in of_npz.items] == [(item.name, item.values) for item in of_idx.items]
    assert [item.values[0] for item in of_npz.items] == arrays[1].tolist()
    assert np.array_equal(pixels(of_npz), pixels(of_idx))
    assert np.array_equal(pixels(of_npz), arrays[0][..., np.newaxis])
    assert of_npz.items[59_999].name == "59999"


def test_the_registry_knows_it(shared: Path) -> None:
    assert len(open_source("mnist", shared / "mnist").items) == 60_000  # the folder with mnist.npz


def pack(folder: Path, form: str, into: Path) -> Path:
    if form == "folder":
        return folder
    path = into / f"mnist.{form}"
    if form == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.rglob("*-ubyte*")):
                if file.is_file():
                    archive.write(file, file.relative_to(folder))
    else:
        with tarfile.open(path, "w:gz" if form == "tar.gz" else "w") as archive:
            archive.add(folder, "mnist")
    return path


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "tar.gz"])
@pytest.mark.parametrize("named", ["official", "dots", "gz", "both in folders of their own"])
def test_in_any_wrapping_and_under_any_of_its_names(
    few: dict[str, bytes], tmp_path: Path, form: str, named: str, arrays: tuple[Any, Any]
) -> None:
    if named == "dots":
        few = {name.replace("-idx", ".idx"): content for name, content in few.items()}
    elif named == "gz":
        few = {f"{name}.gz": gzip.compress(content) for name, content in few.items()}
    elif named != "official":  # as one of the copies on Kaggle has them
        few |= {f"{name}/{name}": content for name, content in few.items()}
        few |= {name.replace("-idx", ".idx"): few.pop(name) for name in list(MD5)}
    others = {"t10k-images-idx3-ubyte": b"the other split", "README": b"", "._" + IMAGES: b"a Macintosh's"}
    path = pack(laid(tmp_path / "here", few | others), form, tmp_path)
    source = mnist.open_source(path)
    assert [item.values[0] for item in source.items] == arrays[1][:COUNT].tolist()
    again: Arrays = pickle.loads(pickle.dumps(source))
    assert again.items == ()
    for reader in (source, again, source.unpacked(tmp_path), pickle.loads(pickle.dumps(source.unpacked(tmp_path)))):
        some = [reader.picture(item) for item in source.items[::50]]
        assert np.array_equal(np.stack(some), arrays[0][:COUNT:50, :, :, np.newaxis])


DAMAGED: dict[str, Callable[[bytes, bytes], dict[str, bytes]]] = {
    "cut": lambda images, labels: {IMAGES: images[:-1], LABELS: labels},
    "too long": lambda images, labels: {IMAGES: images + b"?", LABELS: labels},
    "no header": lambda images, labels: {IMAGES: images[:10], LABELS: labels},
    "a size beyond reason": lambda images, labels: {IMAGES: images[:4] + b"\xff" * 12 + images[16:], LABELS: labels},
    "other numbers": lambda images, labels: {IMAGES: images[:2] + b"\x0d" + images[3:], LABELS: labels},
    "fewer labels": lambda images, _: {IMAGES: images, LABELS: idx(np.zeros(COUNT - 1, np.uint8))},
    "eleven classes": lambda images, _: {IMAGES: images, LABELS: idx(np.full(COUNT, 10, np.uint8))},
    "other pictures": lambda _, labels: {IMAGES: idx(np.zeros((COUNT, 32, 32), np.uint8)), LABELS: labels},
    "a cut gzip": lambda images, labels: {f"{IMAGES}.gz": gzip.compress(images)[:-9], LABELS: labels},
    "no gzip": lambda _, labels: {f"{IMAGES}.gz": b"\x1f\x8b\x08 nothing of the kind", LABELS: labels},
    "a bomb": lambda images, labels: {f"{IMAGES}.gz": gzip.compress(images[:16] + bytes(10**8)), LABELS: labels},
    "swapped": lambda images, labels: {IMAGES: labels, LABELS: images},
    "empty": lambda _, labels: {IMAGES: b"", LABELS: labels},
}


@pytest.mark.parametrize("how", DAMAGED)
def test_damaged_files_are_told(few: dict[str, bytes], tmp_path: Path, how: str) -> None:
    folder = laid(tmp_path / "here", DAMAGED[how](few[IMAGES], few[LABELS]))
    with pytest.raises(BadInputError, match="cannot be used") as caught:
        mnist.open_source(folder)
    assert str(folder) in caught.value.message
    assert caught.value.hint
    assert (how == "a bomb") == ("too large" in caught.value.message)


@pytest.mark.parametrize(
    ("without", "says"), [(IMAGES, "neither mnist.npz nor train-images-idx3"), (LABELS, "train-labels-idx1-ubyte")]
)
def test_half_of_it_is_not_it(few: dict[str, bytes], tmp_path: Path, without: str, says: str) -> None:
    del few[without]
    with pytest.raises(BadInputError, match=says):
        mnist.open_source(laid(tmp_path / "here", few))


def test_one_of_the_files_is_not_enough(few: dict[str, bytes], tmp_path: Path) -> None:
    folder = laid(tmp_path / "here", few)
    with pytest.raises(BadInputError, match="one file of two") as caught:
        mnist.open_source(folder / IMAGES)
    assert caught.value.hint == f"give the folder with both: --source {folder}"


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="nowhere"):
        mnist.open_source(tmp_path / "nowhere")
    with pytest.raises(BadInputError, match="is not MNIST"):
        mnist.open_source(tmp_path)


NPZ = {
    "objects": {"x_train": np.array([os.system], object), "y_train": np.zeros(1, np.uint8)},
    "floats": {"x_train": np.zeros((2, 28, 28)), "y_train": np.zeros(2, np.uint8)},
    "another size": {"x_train": np.zeros((2, 32, 32), np.uint8), "y_train": np.zeros(2, np.uint8)},
    "colours": {"x_train": np.zeros((2, 28, 28, 3), np.uint8), "y_train": np.zeros(2, np.uint8)},
    "no labels": {"x_train": np.zeros((2, 28, 28), np.uint8)},
    "fewer labels": {"x_train": np.zeros((2, 28, 28), np.uint8), "y_train": np.zeros(1, np.uint8)},
    "labels of text": {"x_train": np.zeros((2, 28, 28), np.uint8), "y_train": np.array(["a", "b"])},
}


@pytest.mark.parametrize("name", NPZ)
def test_an_npz_of_something_else_is_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, **NPZ[name])
    with pytest.raises(BadInputError, match=r"mnist\.npz.*cannot be used"):
        mnist.open_source(path)


HEADS = {
    "more than it has": b"{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776, 28, 28), }",
    "no end": b"{'descr': (((",
    "no form": b"\n  {\n }",
}


@pytest.mark.parametrize("says", HEADS)
def test_an_npz_whose_heads_lie_is_told(tmp_path: Path, says: str) -> None:
    path = tmp_path / "mnist.npz"
    padded = HEADS[says].ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x_train.npy", "y_train.npy"):
            archive.writestr(name, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + b"few")
    with pytest.raises(BadInputError, match="cannot be used"):
        mnist.open_source(path)


def test_a_cut_npz_is_told(shared: Path, tmp_path: Path) -> None:
    content = bytearray((shared / "mnist" / "mnist.npz").read_bytes())
    path = tmp_path / "mnist.npz"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInputError):
        mnist.open_source(path)
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="cannot be used"):
        mnist.open_source(path)


def test_an_npz_packed_in_another_way_than_numpys_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=np.zeros((2, 28, 28), np.uint8), y_train=np.zeros(2, np.uint8))
    assert len(mnist.open_source(path).items) == 2
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    for packing in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(path, "w", packing) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        with pytest.raises(BadInputError, match=r'cannot be used: "x_train\.npy" is packed in an unknown way'):
            mnist.open_source(path)


@pytest.mark.parametrize(("at", "value"), [(6, 99), (8, 1), (10, 99), (42, 255)])
def test_an_npz_with_a_damaged_index_is_told(tmp_path: Path, at: int, value: int) -> None:
    """Of the first entry: a version to come, encrypted, an unknown packing, another place; alone and in a folder."""
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=np.zeros((2, 28, 28), np.uint8), y_train=np.zeros(2, np.uint8))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + at] = value
    path.write_bytes(content)
    for source in (path, tmp_path):
        with pytest.raises(BadInputError) as caught:
            mnist.open_source(source)
        assert f'"{path}"' in caught.value.message
        assert caught.value.hint == "fetch it again"


def test_what_changes_while_it_is_read_is_skipped(
    few: dict[str, bytes], arrays: tuple[Any, Any], tmp_path: Path
) -> None:
    folder = laid(tmp_path / "here", few)
    source = mnist.open_source(folder)
    (folder / IMAGES).write_bytes(idx(arrays[0][:10]))
    with pytest.raises(Skip):
        source.picture(source.items[-1])
    shutil.rmtree(folder)
    other = mnist.open_source(laid(folder, few))
    (folder / IMAGES).write_bytes(b"something else")
    with pytest.raises(Skip):
        other.picture(other.items[0])
