"""How many images a run is shown, counted when it is created."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from facegan import layout, prepared
from facegan.catalog import CATALOG
from facegan.errors import BadInputError
from facegan.experiment import Data
from facegan.prepared import Manifest
from facegan.storage.memory import MemoryStore
from jobs import counting

LABELS = (0, 1, 1, 2, 1)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Five grey images of one pixel, prepared in this home."""
    partial = tmp_path / "partial"
    partial.mkdir()
    (partial / layout.IMAGES).write_bytes(prepared.header(5, 1, 1, 1) + bytes(5))
    rows = "".join(f'"a, {number}",{label}\n' for number, label in enumerate(LABELS))
    (partial / layout.ATTRIBUTES).write_text(f"name,label\n{rows}")
    digest, images, attributes = prepared.describe(partial / layout.IMAGES, partial / layout.ATTRIBUTES)
    found = Manifest(
        name="mine", digest=digest, count=5, height=1, width=1, channels=1, columns=("label",), images=images,
        attributes=attributes,
    )  # fmt: skip
    prepared.install(partial, found, tmp_path)
    return found


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def images(data: Data, home: Path, store: MemoryStore) -> int | None:
    return counting.images(data, counting.array(data, home, store), home, store)


@pytest.mark.parametrize(
    ("more", "count"),
    [
        ({}, 5),
        ({"limit": 3}, 3),
        ({"limit": 9}, 5),
        ({"only": "label=1"}, 3),
        ({"only": "label=1", "limit": 2}, 2),
        ({"only": "label=7"}, 0),
        ({"domains": "label"}, 5),
    ],
)
@pytest.mark.parametrize("where", ["here", "stored"])
def test_what_is_chosen_of_a_prepared_array_is_counted(
    where: str, more: dict[str, object], count: int, tmp_path: Path, manifest: Manifest, store: MemoryStore
) -> None:
    home = tmp_path
    if where == "stored":
        prepared.upload(prepared.folder_of(tmp_path, "mine", manifest.digest), store, lambda _text: None)
        home = tmp_path / "another"
    data = Data(name="mine", digest=manifest.digest, **more)  # type: ignore[arg-type]
    assert images(data, home, store) == count


def test_what_comes_in_a_package_is_known(tmp_path: Path, store: MemoryStore) -> None:
    assert images(Data(name="mnist-5k"), tmp_path, store) == 5_000
    assert images(Data(name="mnist-5k", limit=100), tmp_path, store) == 100
    assert images(Data(name="mnist-5k", only="label=1"), tmp_path, store) == 500
    assert images(Data(name="mnist-5k", only="label=9", limit=20), tmp_path, store) == 20
    assert images(Data(name="mnist-5k", only="label=12"), tmp_path, store) == 0


def require(named: str, data: Data, home: Path, store: MemoryStore) -> None:
    chosen = replace(CATALOG[named].experiment, data=data)
    counting.require_images(chosen, images(data, home, store), home, store)


def test_an_experiment_that_has_nothing_to_show_is_refused(
    tmp_path: Path, manifest: Manifest, store: MemoryStore
) -> None:
    for data in (Data(name="mnist-5k", only="label=12"), Data(name="mine", digest=manifest.digest, only="label=7")):
        with pytest.raises(BadInputError, match=f'no image of "{data.name}" has label=') as refused:
            require("dcgan-mnist", data, tmp_path, store)
        assert refused.value.hint


@pytest.mark.parametrize(
    ("data", "empty"),
    [
        (Data(name="mnist-5k", domains="edges", limit=1), 'domain a of "edges" is empty: none of 1 images'),
        (Data(name="mnist-5k", domains="edges", limit=2), None),
        (Data(name="mnist-5k", domains="label", limit=500), 'domain b of "label" is empty: none of 500 images'),
        (Data(name="mnist-5k", domains="label", limit=501), None),
        (Data(name="mine", domains="label", only="label=1"), 'domain a of "label" is empty: none of 3 images'),
        (Data(name="mine", domains="label", limit=1), 'domain b of "label" is empty: none of 1 images'),
        (Data(name="mine", domains="label"), None),
    ],
)
def test_each_domain_of_coupled_networks_needs_an_image(
    data: Data, empty: str | None, tmp_path: Path, manifest: Manifest, store: MemoryStore
) -> None:
    data = replace(data, digest=manifest.digest if data.name == "mine" else None)
    require("dcgan-mnist", data, tmp_path, store)
    if empty is None:
        require("cogan-mnist", data, tmp_path, store)
        return
    with pytest.raises(BadInputError, match=empty):
        require("cogan-mnist", data, tmp_path, store)


def test_what_cannot_be_counted_is_left_to_the_session(tmp_path: Path, store: MemoryStore) -> None:
    require("cogan-mnist", Data(name="mine", digest="0" * 64, domains="label"), tmp_path, store)


def test_what_is_nowhere_is_not_counted(tmp_path: Path, store: MemoryStore) -> None:
    assert images(Data(name="mine", digest="0" * 64), tmp_path, store) is None
    assert images(Data(name="mine", digest="0" * 64, only="label=1"), tmp_path, store) is None
