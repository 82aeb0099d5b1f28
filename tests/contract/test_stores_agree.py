"""Stores held against one of memory: the same calls, in any order, are answered the same.

Here it is a store of files; `tests/cloud/test_stores_agree.py` takes those of the clouds.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from facegan.errors import FaceganError
from facegan.storage.base import ObjectStore
from facegan.storage.file import FileStore
from facegan.storage.memory import MemoryStore

# Names of folders and of objects have no text in common, so that none is asked to be both.
FOLDERS = st.sampled_from(["a", "b", "a b", "é", ".d", "%2F", "ab"])
LEAVES = st.sampled_from(["x", "y", "x y", "x.json", ".x", "%41", "z#?"])
KEYS = st.builds(lambda folders, leaf: "/".join([*folders, leaf]), st.lists(FOLDERS, max_size=3), LEAVES)
BAD_KEYS = st.sampled_from(["", "/x", "a//x", "../x", "a/./x", "a/"])
PREFIXES = st.one_of(st.just(""), KEYS, st.builds(lambda key, cut: key[:cut], KEYS, st.integers(0, 6)))
DATA = st.sampled_from([b"", b"1", b"22", b"\0" * 1_000])


class AgainstMemory(RuleBasedStateMachine):
    """Asks both stores the same."""

    def __init__(self) -> None:
        super().__init__()
        self.store = self.opened()
        self.memory = MemoryStore()

    def opened(self) -> ObjectStore:
        """An empty store of the kind under test."""
        raise NotImplementedError

    def same(self, ask: Callable[[Any], object]) -> None:
        assert answer(ask, self.store) == answer(ask, self.memory)

    @rule(key=st.one_of(KEYS, BAD_KEYS), data=DATA)
    def put(self, key: str, data: bytes) -> None:
        self.same(lambda store: store.put(key, data))

    @rule(key=st.one_of(KEYS, BAD_KEYS), data=DATA)
    def put_new(self, key: str, data: bytes) -> None:
        self.same(lambda store: store.put_new(key, data))

    @rule(key=st.one_of(KEYS, BAD_KEYS))
    def get(self, key: str) -> None:
        self.same(lambda store: store.get(key))

    @rule(key=st.one_of(KEYS, BAD_KEYS))
    def delete(self, key: str) -> None:
        self.same(lambda store: store.delete(key))

    @rule(prefix=PREFIXES, after=PREFIXES)
    def list(self, prefix: str, after: str) -> None:
        self.same(lambda store: list(store.list(prefix, after=after)))

    @rule(prefix=PREFIXES)
    def sizes(self, prefix: str) -> None:
        self.same(lambda store: list(store.sizes(prefix).items()))

    @rule(prefix=PREFIXES)
    def times(self, prefix: str) -> None:
        self.same(lambda store: list(store.times(prefix)))

    @rule(prefix=PREFIXES)
    def folders(self, prefix: str) -> None:
        self.same(lambda store: list(store.folders(prefix)))

    @invariant()
    def hold_the_same(self) -> None:
        assert self.store.sizes("") == self.memory.sizes("")

    def teardown(self) -> None:
        assert {key: self.store.get(key) for key in self.store.list("")} == self.memory.objects


class FilesAgainstMemory(AgainstMemory):
    def opened(self) -> ObjectStore:
        self.folder = tempfile.mkdtemp()
        self.unsynced = mock.patch("os.fsync")
        self.unsynced.start()
        return FileStore(Path(self.folder) / "store")

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.unsynced.stop()
            shutil.rmtree(self.folder)


def answer(ask: Callable[[Any], object], store: object) -> object:
    """What the store says, or the kind of its refusal."""
    try:
        return ask(store)
    except FaceganError as error:
        return type(error)


TestFilesAgainstMemory = FilesAgainstMemory.TestCase
TestFilesAgainstMemory.settings = settings(max_examples=60, stateful_step_count=30)
