"""CIFAR-10 is the same in every form that it comes in; a batch that is a program is not run."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegan.data.arrays import Arrays
from facegan.data.pictures import Pictures
from facegan.data.source import Source
from facegan.data.sources import cifar10, open_source
from facegan.errors import BadInputError

EACH = 40  # images a batch
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def subset(shared: Path) -> tuple[np.ndarray[Any, Any], list[int]]:
    """200 real images with their labels; all classes are among them."""
    with np.load(shared / "cifar10" / "cifar10_subset.npz", allow_pickle=False) as found:
        images, labels = found["x_train"][: 5 * EACH], found["y_train"][: 5 * EACH].ravel()
    assert set(labels.tolist()) == set(range(10))
    return images, labels.tolist()


def planes(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def python_batches(subset: tuple[Any, Any]) -> Files:
    images, labels = subset
    files = {"batches.meta": pickle.dumps({"label_names": list(cifar10.CLASSES)}, 2)}
    for number, first in enumerate(range(0, 5 * EACH, EACH), start=1):
        chosen = slice(first, first + EACH)
        batch = {
            "data": planes(images[chosen]),
            "labels": labels[chosen],
            "batch_label": f"training batch {number} of 5",
        }
        files[f"data_batch_{number}"] = pickle.dumps(batch, 2)
    files["test_batch"] = pickle.dumps({"data": planes(images[:1]), "labels": labels[:1]}, 2)
    return {f"cifar-10-batches-py/{name}": content for name, content in files.items()}


def binary_batches(subset: tuple[Any, Any]) -> Files:
    images, labels = subset
    records = np.concatenate([np.array(labels, np.uint8)[:, np.newaxis], planes(images)], axis=1)
    files = {
        f"cifar-10-batches-bin/data_batch_{number}.bin": records[first : first + EACH].tobytes()
        for number, first in enumerate(range(0, 5 * EACH, EACH), start=1)
    }
    return files | {"cifar-10-batches-bin/test_batch.bin": records[:1].tobytes()}


def png(image: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def pictures(subset: tuple[Any, Any], above: str = "train/") -> Files:
    images, labels = subset
    return {
        f"{above}{cifar10.CLASSES[label]}/{index:04d}.png": png(image)
        for index, (image, label) in enumerate(zip(images, labels, strict=True))
    }


def written(files: Files, form: str, into: Path) -> Path:
    path = into / f"cifar-10.{form}"
    if form == "folder":
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    elif form == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz" if form == "tar.gz" else "w") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def images_of(source: Source) -> np.ndarray[Any, Any]:
    found = [source.picture(item) for item in source.items]
    opened = [np.asarray(Image.open(io.BytesIO(one))) if isinstance(one, bytes) else one for one in found]
    return np.stack(opened)


def labels_of(source: Source) -> list[int]:
    return [item.values[0] for item in source.items]


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "tar.gz"])
@pytest.mark.parametrize("batches", [python_batches, binary_batches])
def test_both_batches_are_the_same_images(
    subset: tuple[Any, list[int]], tmp_path: Path, form: str, batches: Callable[[Any], Files]
) -> None:
    source = cifar10.open_source(written(batches(subset), form, tmp_path))
    assert isinstance(source, Arrays)
    assert source.columns == ("label",)
    assert labels_of(source) == subset[1]
    assert [item.name for item in source.items] == [f"{index:05d}" for index in range(5 * EACH)]
    again = pickle.loads(pickle.dumps(source.unpacked(tmp_path)))
    for reader in (source, again):
        assert np.array_equal(np.stack([reader.picture(item) for item in source.items]), subset[0])


@pytest.mark.parametrize("form", ["folder", "zip", "tar"])
@pytest.mark.parametrize("above", ["train/", "CIFAR-10/train/", "CIFAR-10-images/"])
def test_pictures_in_folders_of_their_class(
    subset: tuple[Any, list[int]], tmp_path: Path, form: str, above: str
) -> None:
    files = pictures(subset, above)
    files |= {"labels.txt": b"", "CIFAR-10/test/airplane/0001.png": b"", f"{above}zebra/0001.png": b"", "1.png": b""}
    source = cifar10.open_source(written(files, form, tmp_path))
    assert isinstance(source, Pictures)
    order = sorted(range(5 * EACH), key=lambda index: (subset[1][index], index))
    assert labels_of(source) == [subset[1][index] for index in order]
    assert source.items[0].name == f"{above}airplane/{order[0]:04d}.png"
    assert np.array_equal(images_of(source), subset[0][order])
    other = {cifar10.OTHER_SPLIT: 2 if "train" in above else 1, cifar10.NO_CLASS: 1 if "train" in above else 2}
    assert source.skipped == other | {"not named like a picture": 1}


def test_the_npz_of_keras(shared: Path, subset: tuple[Any, list[int]]) -> None:
    source = open_source("cifar10", shared / "cifar10" / "cifar10_subset.npz")
    assert len(source.items) == 9_500
    assert labels_of(source)[: 5 * EACH] == subset[1]
    assert labels_of(source).count(0) == 5_000
    assert np.array_equal(np.stack([source.picture(item) for item in source.items[: 5 * EACH]]), subset[0])  # type: ignore[arg-type]


class Trap:
    """A pickle that leaves a mark."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, ("sprung",)


def test_a_hostile_batch_is_refused_and_not_run(
    subset: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = python_batches(subset)
    files["cifar-10-batches-py/data_batch_3"] = pickle.dumps({"data": Trap(), "labels": []}, 2)
    path = written(files, "tar.gz", tmp_path)
    with pytest.raises(BadInputError, match=r'data_batch_3" in .*asks for "(posix|nt|os)\.mkdir"'):
        cifar10.open_source(path)
    assert not Path("sprung").exists()


def batch(**values: Any) -> bytes:
    return pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1, 2]} | values, 2)


DAMAGED = {
    "no images": (batch(data=None), "no images"),
    "images of another size": (batch(data=np.zeros((2, 784), np.uint8)), "no images"),
    "images of floats": (batch(data=np.zeros((2, 3072))), "no images"),
    "one image": (batch(data=np.zeros(3072, np.uint8)), "no images"),
    "no labels": (batch(labels=None), "no labels"),
    "fewer labels": (batch(labels=[1]), "no 2 labels from 0 to 9"),
    "labels of a hundred": (batch(labels=[1, 99]), "no 2 labels from 0 to 9"),
    "labels of text": (batch(labels=["a", "b"]), "no 2 labels from 0 to 9"),
    "labels of lists": (batch(labels=[[1], [1, 2]]), "."),
    "CIFAR-100": (pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "fine_labels": [1, 2]}, 2), "no labels"),
    "cut": (batch()[:-200], "cut short or damaged"),
    "empty": (b"", "."),
    "a list": (pickle.dumps([1], 2), "not a dictionary"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_batches_are_told(subset: tuple[Any, Any], tmp_path: Path, name: str) -> None:
    files = python_batches(subset)
    content, says = DAMAGED[name]
    files["cifar-10-batches-py/data_batch_2"] = content
    with pytest.raises(BadInputError, match=f"(?s)data_batch_2.*cannot be used: .*{says}") as caught:
        cifar10.open_source(written(files, "tar", tmp_path))
    assert "www.cs.toronto.edu" in str(caught.value.hint) or "fetch it again" in str(caught.value.hint)


@pytest.mark.parametrize("content", [b"?" * 3072, b"\x0a" + bytes(3072)])
def test_damaged_binary_batches_are_told(subset: tuple[Any, Any], tmp_path: Path, content: bytes) -> None:
    files = binary_batches(subset)
    files["cifar-10-batches-bin/data_batch_5.bin"] = content
    with pytest.raises(BadInputError, match=r"data_batch_5\.bin"):
        cifar10.open_source(written(files, "zip", tmp_path))


@pytest.mark.parametrize("batches", [python_batches, binary_batches])
def test_a_missing_batch_is_told(subset: tuple[Any, Any], tmp_path: Path, batches: Callable[[Any], Files]) -> None:
    files = {name: content for name, content in batches(subset).items() if "_2" not in name and "_4" not in name}
    with pytest.raises(BadInputError, match="of five batches, it lacks 2, 4"):
        cifar10.open_source(written(files, "folder", tmp_path))


def test_of_two_copies_the_one_nearer_to_the_top_is_read(subset: tuple[Any, list[int]], tmp_path: Path) -> None:
    files = python_batches(subset)
    files["old/cifar/data_batch_3"] = b"damaged"
    files["data_batch_5"] = files.pop("cifar-10-batches-py/data_batch_5")
    assert labels_of(cifar10.open_source(written(files, "folder", tmp_path))) == subset[1]


def test_something_else_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="is not CIFAR-10: it has no data_batch_1") as caught:
        cifar10.open_source(written({"train/zebra/1.png": b"1", "notes.txt": b"2"}, "folder", tmp_path))
    assert "among 2 files" in caught.value.message
    assert "facegan-job data prepare cifar10" in str(caught.value.hint)
