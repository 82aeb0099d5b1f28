"""A batch is read from a pickle; nothing else that a pickle can do is done."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import resource
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.data import unpickling
from facegan.errors import BadInputError

PIXELS = np.arange(2 * 3072, dtype=np.uint32).astype(np.uint8).reshape(2, 3072)


def python_2_pickle(data: np.ndarray[Any, Any], labels: list[int], *, module: str = "numpy.core.multiarray") -> bytes:
    """The bytes of cPickle, protocol 2, for a batch: Python 2's text, and arrays by their raw string."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value

    dtype = b"cnumpy\ndtype\nq\x05U\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    shape = b"".join(b"M" + struct.pack("<H", size) for size in data.shape) + b"\x86"
    array = b"c" + module.encode() + b"\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87Rq\x09"
    array += b"(K\x01" + shape + dtype + b"\x89" + text(data.tobytes()) + b"tb"
    whole = b"\x80\x02}q\x01(U\x04dataq\x02" + array
    whole += text(b"labels") + b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    whole += text(b"batch_label") + text(b"training batch 1 of 5")
    return whole + text(b"filenames") + b"]" + text(b"leptodactylus_s_000004.png") + b"au."


def protocols() -> list[bytes]:
    batch = {"data": PIXELS, "labels": [6, 9], "batch_label": "training batch 1 of 5", "filenames": ["frog.png"]}
    return [pickle.dumps(batch, protocol) for protocol in (2, 3, 4)]


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_what_python_2_wrote(module: str) -> None:
    content = python_2_pickle(PIXELS, [6, 9], module=module)
    found = unpickling.load(content, called="data_batch_1")
    assert set(found) == {"data", "labels", "batch_label", "filenames"}
    assert np.array_equal(found["data"], PIXELS)  # type: ignore[arg-type]
    assert found["labels"] == [6, 9]
    assert found["batch_label"] == b"training batch 1 of 5"
    theirs = pickle.loads(content, encoding="bytes")
    assert np.array_equal(theirs[b"data"], PIXELS)


@pytest.mark.parametrize("content", protocols(), ids=["protocol 2", "protocol 3", "protocol 4"])
def test_what_python_3_writes(content: bytes) -> None:
    found = unpickling.load(content, called="data_batch_1")
    assert np.array_equal(found["data"], PIXELS)  # type: ignore[arg-type]
    assert found["labels"] == [6, 9]


@pytest.mark.parametrize("kind", [">i8", "<i4", "f4", "u2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_any_order_and_number(kind: str, order: Any) -> None:
    array = np.asarray(np.arange(12).reshape(3, 4), dtype=kind, order=order)
    found = unpickling.load(pickle.dumps({"data": array}, 2), called="it")["data"]
    assert isinstance(found, np.ndarray)
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


class Calls:
    """Pickles as a call."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


HOSTILE = {
    "a shell": ({"data": Calls(os.system, "echo > ran")}, "posix.system|nt.system"),
    "eval": ({"data": Calls(eval, "open('ran', 'w')")}, r"builtins?__?\.eval|builtins.eval"),
    "import": ({"data": Calls(builtins.__import__, "antigravity")}, "__import__"),
    "a file": ({"data": Calls(io.open, "ran", "w")}, "open"),
    "a numpy scalar": ({"data": np.float64(1.0)}, "multiarray.scalar"),
    "an array of objects": ({"data": np.array([os.system, {}], object)}, r"holds an array of 'O8'"),
    "an array of records": ({"data": np.zeros(2, "u1,f4")}, r"holds an array of 'V5'"),
    "an array of text": ({"data": np.array(["a"])}, r"holds an array of 'U1'"),
    "an array of dates": ({"data": np.array([0], "M8[s]")}, r"holds an array of 'M8'"),
    "a memory map": ({"data": Calls(np.memmap, "ran", "u1", "w+", 0, (9,))}, "memmap"),
    "a class": ({"data": Path("ran")}, "athlib"),
    "no dictionary": ([1, 2], "holds a list"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_hostile_pickle_is_refused_and_not_run(
    name: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content, says = HOSTILE[name]
    with pytest.raises(BadInputError, match=says) as caught:
        unpickling.load(pickle.dumps(content, protocol), called="data_batch_1")
    assert caught.value.message.startswith('"data_batch_1" is not a batch')
    assert list(tmp_path.iterdir()) == []


ASSEMBLED = {
    "protocol 0": (b"cos\nsystem\n(S'echo > ran'\ntR.", "os.system"),
    "a name of a name": (b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.dumps\x93.", "ndarray.dumps"),
    "an instance": (b"(S'echo > ran'\nios\nsystem\n.", "instruction"),
    "an object": (b"\x80\x02(cos\nsystem\no.", "os.system"),
    "a new object": (b"\x80\x02cnumpy\nndarray\n(K\x01t\x81.", "instruction 0x81"),
    "an extension": (b"\x80\x02\x82\x01.", "instruction 0x82"),
    "a persistent id": (b"\x80\x02K\x01Q.", "instruction 0x51"),
    "an out-of-band buffer": (b"\x80\x05\x97.", "instruction 0x97"),
    "ndarray itself is called": (b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R.", 'calls "numpy.ndarray"'),
    "another codec": (b"\x80\x02c_codecs\nencode\nU\x04abcdU\x03bz2\x86R.", 'calls "_codecs.encode"'),
    "a codec of text": (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x06\x00\x00\x00utf-16\x86R.", "_codecs.encode"),
    "a token is changed": (b"\x80\x02cnumpy\ndtype\n}b.", "sets the inside"),
    "a dictionary is changed": (b"\x80\x02}}b.", "sets the inside"),
    "terminal escapes": (b"\x80\x04\x8c\x02os\x8c\x05\x1b[31m\x93.", r"os\.\\x1b\[31m"),
    "not a pickle": (b"PK\x03\x04 a zip", "instruction 0x50"),
    "empty": (b"", "EOFError"),
    "an empty stack": (b"\x80\x02R.", "IndexError"),
    "no mark": (b"\x80\x02}u.", "IndexError"),
    "a promise of text": (b"\x80\x02T\xff\xff\xff\x7f.", "EOFError"),
}


@pytest.mark.parametrize("name", ASSEMBLED)
def test_assembled_by_hand(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content, says = ASSEMBLED[name]
    with pytest.raises(BadInputError, match=says):
        unpickling.load(content, called="it")
    assert list(tmp_path.iterdir()) == []


def array_of(shape: bytes, data: bytes, kind: bytes = b"u1") -> bytes:
    """A dictionary with one array of any shape, said in opcodes."""
    dtype = b"cnumpy\ndtype\nU" + bytes([len(kind)]) + kind + b"K\x00K\x01\x87R"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    return b"\x80\x02}U\x04data" + array + b"(K\x01" + shape + dtype + b"\x89U" + bytes([len(data)]) + data + b"tbs."


BOMBS = {
    "a shape larger than its bytes": array_of(b"J\x00\x00\x00\x40J\x00\x00\x00\x40\x86", b"x"),
    "a shape that overflows": array_of(b"\x8a\x09" + b"\x00" * 8 + b"\x01" + b"J\x00\x00\x00\x40\x86", b""),
    "a negative shape": array_of(b"J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86", b"x"),
    "too many axes": array_of(b"(" + b"K\x01" * 200 + b"t", b"x"),
    "a shape of text": array_of(b"U\x01a\x85", b"x"),
    "a memory slot far away": b"\x80\x02}r" + struct.pack("<I", 2**31 - 1) + b"U\x04data" + b"T\xff\xff\xff\x7f",
    "bytes that are not there": b"\x80\x04}\x8e" + struct.pack("<Q", 2**40) + b"x",
    "a frame that is not there": b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"}",
    # its hash takes 2**24 steps, and could take 2**60
    "a key of nested tuples": b"\x80\x02})" + b"2\x86".replace(b"2", b"q\x01h\x01") * 24 + b"K\x01s.",
}
LIMIT = 1 << 30


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_does_not_go_off(name: str) -> None:
    began = time.process_time()
    with pytest.raises(BadInputError):
        unpickling.load(BOMBS[name], called="it")
    assert time.process_time() - began < 1


@pytest.mark.parametrize("name", [name for name in BOMBS if "shape" in name or "axes" in name])
def test_a_shape_is_held_against_the_bytes(name: str) -> None:
    with pytest.raises(BadInputError, match=r"it holds an array of shape \(.*\) in \d+ bytes"):
        unpickling.load(BOMBS[name], called="it")


def test_the_bombs_take_no_memory() -> None:
    code = (
        "import resource, sys; from facegan.data import unpickling; from facegan.errors import BadInputError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for text in sys.stdin.read().split():\n"
        "    try: unpickling.load(bytes.fromhex(text), called='it')\n"
        "    except BadInputError: pass\n"
        "    else: sys.exit('taken')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    given = "\n".join(bomb.hex() for bomb in BOMBS.values())
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=given,
        text=True,
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT)),
    )
    assert int(done.stdout) < 10_000  # KiB


@given(cut=st.integers(0, 6000))
def test_a_batch_cut_short_is_refused(cut: int) -> None:
    content = python_2_pickle(PIXELS, [6, 9])
    with pytest.raises(BadInputError):
        unpickling.load(content[: min(cut, len(content) - 1)], called="it")


@given(at=st.integers(0, 330), bits=st.integers(1, 255), protocol=st.sampled_from([0, 1, 2, 3]))
def test_a_changed_byte_is_data_or_a_refusal(at: int, bits: int, protocol: int) -> None:
    small = PIXELS[:, :48]
    whole = {0: python_2_pickle(small, [6, 9])} | {
        number: pickle.dumps({"data": small, "labels": [6, 9]}, number + 1) for number in (1, 2, 3)
    }
    content = bytearray(whole[protocol])
    content[at % len(content)] ^= bits
    try:
        found = unpickling.load(bytes(content), called="it")
    except BadInputError:
        return
    assert all(isinstance(key, str) for key in found)


def test_an_array_that_is_never_finished_is_no_array() -> None:
    content = b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87Rs."
    assert unpickling.load(content, called="it") == {"data": None}


def test_a_batch_takes_little_time() -> None:
    images = np.random.default_rng(0).integers(0, 256, (10_000, 3072), dtype=np.uint8)
    batch = {"data": images, "labels": [3] * 10_000, "filenames": [f"{index:05d}.png" for index in range(10_000)]}
    content = pickle.dumps(batch, 2)
    began = time.process_time()
    assert len(unpickling.load(content, called="it")["labels"]) == 10_000  # type: ignore[arg-type]
    assert time.process_time() - began < 5
