"""A manifest says what prepared data are; one that does not is refused before a byte of them is fetched."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegan import layout, prepared
from facegan.errors import DamagedError
from facegan.prepared import manifest, stored
from facegan.storage.memory import MemoryStore
from tests.fakes import datasets
from tests.fakes.killing import WatchedStore
from tests.unit.facegan.test_prepared import PART, quiet, small_parts  # noqa: F401 - the fixture


def test_a_header_is_numpys_own() -> None:
    for shape in [(60_000, 28, 28, 1), (1, 1, 1, 3), (manifest.MOST_IMAGES, 16_384, 16_384, 3)]:
        file = io.BytesIO()
        fields = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, fields)
        assert prepared.header(*shape) == file.getvalue()


HOSTILE: dict[str, Callable[[dict[str, Any]], object]] = {
    "a name that leaves the folder": lambda m: m.update(name="../../etc"),
    "a name with a slash": lambda m: m.update(name="a/b"),
    "another name": lambda m: m.update(name="other"),
    "another digest": lambda m: m.update(digest="f" * 64),
    "a digest that is a path": lambda m: m.update(digest="../" * 21 + "x"),
    "no digest": lambda m: m.pop("digest"),
    "a key too many": lambda m: m.update(more=1),
    "another schema": lambda m: m.update(schema=2),
    "more images than there are bytes": lambda m: m.update(count=10**8),
    "absurdly many": lambda m: m.update(count=10**18),
    "no images": lambda m: m.update(count=0),
    "a negative height": lambda m: m.update(height=-8),
    "a text for a number": lambda m: m.update(width="8"),
    "true for a number": lambda m: m.update(count=True),
    "a fraction": lambda m: m.update(count=40.0),
    "infinity": lambda m: m.update(count=float("inf")),
    "two channels": lambda m: m.update(channels=2),
    "a part of a gigabyte": lambda m: m["images"][0].update(size=2**30),
    "a part too few": lambda m: m["images"].pop(),
    "a part too many": lambda m: m["images"].append(m["images"][0]),
    "parts of other sizes": lambda m: (m["images"][0].update(size=PART - 1), m["images"][-1].update(size=PART)),
    "parts that are none": lambda m: m.update(images={"0": 1}),
    "a part with a path": lambda m: m["images"][0].update(key="../x"),
    "a hash that is none": lambda m: m["images"][0].update(sha256="Z" * 64),
    "a table of terabytes": lambda m: m["attributes"].update(size=2**40),
    "columns that are none": lambda m: m.update(columns="smiling"),
    "a column twice": lambda m: m.update(columns=["a", "a"]),
    "a column called name": lambda m: m.update(columns=["name"]),
    "a column with a line end": lambda m: m.update(columns=["a\nb"]),
    "a column with an escape": lambda m: m.update(columns=["\x1b[2J"]),
    "a million columns": lambda m: m.update(columns=[str(i) for i in range(10**5)]),
    "an escape in the source": lambda m: m.update(source="\x1b]0;owned\x07"),
    "a novel": lambda m: m.update(source="x" * 10_000),
    "an escape in a reason": lambda m: m.update(skipped={"\x1b[2J": 1}),
    "fewer than none skipped": lambda m: m.update(skipped={"broken": -1}),
    "a list for a table": lambda m: m.update(skipped=[1]),
}


@pytest.mark.parametrize("harm", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_manifest_is_refused_before_a_byte_is_fetched(
    harm: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    store = MemoryStore()
    made = datasets.fill(store, tmp_path / "mine")
    key = layout.dataset_manifest(made.name, made.digest)
    tree = json.loads(store.get(key))
    harm(tree)
    store.put(key, json.dumps(tree).encode())
    watched = WatchedStore(store)
    with pytest.raises(DamagedError) as caught:
        prepared.fetch(watched, made.name, made.digest, tmp_path / "other", quiet)
    assert [operation.key for operation in watched.operations] == [key]
    assert caught.value.message.isprintable(), "nothing of it reaches the terminal as it is"
    assert [path.name for path in (tmp_path / "other").rglob("*") if path.is_file()] == [".lock"]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 10_000, b'{"schema": 1}'])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedError, match='"there" is no manifest'):
        manifest.from_bytes(data, called="there", name="a", digest=datasets.NOBODY)


def test_a_manifest_of_gigabytes_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    made = datasets.fill(store, tmp_path / "mine")
    monkeypatch.setattr(stored, "LARGEST_MANIFEST", 100)
    with pytest.raises(DamagedError, match="more than 100 bytes"):
        prepared.fetch(store, made.name, made.digest, tmp_path / "other", quiet)


def test_a_manifest_survives_the_way_through_its_bytes() -> None:
    made = datasets.imagined(
        columns=("5_o_Clock_Shadow", "Smiling"), domains="Smiling", limit=7, skipped={"a link": 2}, count=3, size=2
    )
    images = prepared.header(3, 2, 2, 3) + bytes(36)
    made = replace(made, size=None, images=(prepared.Piece.of(images),))
    assert manifest.from_bytes(made.to_bytes(), called="", name=made.name, digest=made.digest) == made


COLUMNS = {
    "none": ((), None),
    "CelebA's": (("5_o_Clock_Shadow", "Wearing Hat", "größer"), None),
    "a comma": (("Bald", "a,b"), 'no column may be called "a,b"'),
    "a quote": (('a"b',), "no column may be called"),
    "an apostrophe": (("a'b",), "no column may be called"),
    "an equals sign": (("age=3",), 'no column may be called "age=3"'),
    "empty": (("",), 'no column may be called ""'),
    "a space first": ((" a",), 'no column may be called " a"'),
    "a line end": (("a\nb",), 'no column may be called "a?b"'),
    "an escape": (("\x1b[2J",), 'no column may be called "?[2J"'),
    "a tab": (("a\tb",), 'no column may be called "a?b"'),
    "as long as may be": (("x" * 100,), None),
    "too long": (("x" * 101,), f'no column may be called "{"x" * 100}"'),
    "the pictures' names": (("name",), 'no second column may be called "name"'),
    "one twice": (("a", "b", "a"), 'no second column may be called "a"'),
    "a thousand": (tuple(map(str, range(1_000))), None),
    "more": (tuple(map(str, range(1_001))), "1,001 columns are more than 1,000"),
}


@pytest.mark.parametrize(("columns", "fault"), COLUMNS.values(), ids=list(COLUMNS))
def test_a_reader_refuses_just_the_columns_that_are_at_fault(columns: tuple[str, ...], fault: str | None) -> None:
    found = prepared.fault_of(columns)
    assert (found or "").startswith(fault or "")
    assert (found is None) == (fault is None)
    assert (found or "").isprintable()
    data = replace(datasets.imagined(columns=columns, count=3, size=2), size=None).to_bytes()
    tree = json.loads(data)
    images = prepared.header(3, 2, 2, 3) + bytes(36)
    tree["images"] = [{"size": len(images), "sha256": datasets.NOBODY}]

    def read() -> tuple[str, ...]:
        return manifest.from_bytes(
            json.dumps(tree).encode(), called="", name=tree["name"], digest=tree["digest"]
        ).columns

    if fault is None:
        assert read() == columns
    else:
        with pytest.raises(DamagedError):
            read()


def test_no_manifest_that_a_reader_refuses_is_installed(tmp_path: Path) -> None:
    partial = tmp_path / "data" / "my-faces" / ".made"
    made = replace(datasets.put_together(partial), size=manifest.MOST_PIXELS + 1)
    with pytest.raises(DamagedError, match="16385"):
        prepared.install(partial, made, tmp_path)
    assert prepared.find_local(tmp_path) == []
