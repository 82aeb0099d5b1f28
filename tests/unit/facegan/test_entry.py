"""One ledger entry and its bytes: nothing that differs from what was written passes for an entry."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.errors import DamagedError
from facegan.experiment import EXACT
from facegan.ledger import form
from facegan.ledger.entry import GENESIS, SCHEMA, Entry, decode, digest, encode

KEY = "runs/r/ledger/00000003.json"
ENTRY = Entry(
    seq=3,
    prev="ab" * 32,
    at="2024-01-01T00:00:00.000+00:00",
    by="holder",
    nonce="n-1",
    kind="report",
    body={"session": 1, "outcome": "failed", "step": 5, "why": 'a "quoted" bug, é\n,"check":"'},
    fold={"run": "r", "good": [[1, 2]], "upload_s": 0.1},
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
HEAD = {"schema", "seq", "prev", "at", "by", "nonce", "kind", "fold", "check"}


def test_an_entry_is_one_line_of_json_in_a_fixed_order() -> None:
    data = encode(ENTRY)
    assert data.count(b"\n") == 1
    assert data.endswith(b"\n")
    names = list(json.loads(data))
    assert names[:7] == ["schema", "seq", "prev", "at", "by", "nonce", "kind"]
    assert names[-2:] == ["fold", "check"]


def test_an_entry_s_bytes_are_a_function_of_it() -> None:
    assert encode(ENTRY) == encode(ENTRY)
    assert digest(encode(ENTRY)) == digest(encode(ENTRY))


def test_what_was_encoded_is_decoded() -> None:
    assert decode(encode(ENTRY), KEY) == ENTRY


@given(
    body=st.dictionaries(st.text().filter(lambda name: name not in HEAD), VALUES, max_size=4),
    fold=st.dictionaries(st.text(), VALUES, max_size=4),
    seq=st.integers(0, 10**9),
    text=st.text(),
)
def test_any_entry_survives_the_way_there_and_back(
    body: dict[str, object], fold: dict[str, object], seq: int, text: str
) -> None:
    entry = Entry(seq=seq, prev=GENESIS, at=text, by=text, nonce=text, kind=text, body=body, fold=fold)
    assert decode(encode(entry), KEY) == entry


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_is_noticed_and_the_entry_named(bit: int) -> None:
    data = encode(ENTRY)
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        with pytest.raises(DamagedError, match=KEY):
            decode(changed, KEY)


def test_every_truncation_is_noticed() -> None:
    data = encode(ENTRY)
    for length in range(len(data)):
        with pytest.raises(DamagedError, match=KEY):
            decode(data[:length], KEY)


@pytest.mark.parametrize("more", [b"\n", b" ", b"x", b"\0" * 100, encode(ENTRY)])
def test_whatever_is_appended_is_noticed(more: bytes) -> None:
    with pytest.raises(DamagedError, match=KEY):
        decode(encode(ENTRY) + more + b"x", KEY)


@given(st.binary(max_size=300))
def test_what_is_no_entry_is_never_taken_for_one(data: bytes) -> None:
    with pytest.raises(DamagedError, match=KEY):
        decode(data, KEY)


def test_a_sealed_object_that_lacks_a_field_is_damaged() -> None:
    sealed = b'{"schema":1'
    with pytest.raises(DamagedError, match="lacks 'seq'"):
        decode(sealed + b',"check":"' + digest(sealed).encode() + b'"}\n', KEY)


def test_a_number_that_json_does_not_have_is_never_written() -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON compliant"):
            encode(Entry(seq=0, prev=GENESIS, at="", by="", nonce="", kind="", body={"x": value}, fold={}))


def test_the_schema_is_1() -> None:
    assert SCHEMA == 1
    assert json.loads(encode(ENTRY))["schema"] == 1


def test_a_whole_number_is_one_that_every_reader_of_json_agrees_on() -> None:
    assert form.whole()(EXACT)
    assert int(float(EXACT + 1)) != EXACT + 1
    assert not any(form.whole()(value) for value in (EXACT + 1, -1, True, 1.0, "1"))
