"""The keys of a store are a contract with scripts and with runs that exist."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan import layout
from facegan.errors import BadInputError

IDS = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,62}", fullmatch=True)


def test_the_keys_are_those_of_the_design() -> None:
    assert layout.entry("r", 0) == "runs/r/ledger/00000000.json"
    assert layout.entry("r", 123_456_789) == "runs/r/ledger/123456789.json"
    assert layout.checkpoint("r", 1000, 3) == "runs/r/checkpoints/1000-3/"
    assert layout.STATE == "state.safetensors"
    assert layout.METRICS == "metrics.jsonl"
    assert layout.sample(250, "grid") == "samples/00000250-grid.png"
    assert layout.heartbeat("r", 2) == "runs/r/sessions/2/heartbeat.json"
    assert layout.machine_log("r", 2) == "runs/r/sessions/2/machine.txt"
    assert layout.output_piece("r", 2, 7) == "runs/r/sessions/2/output/000007.txt"


@pytest.mark.parametrize("run", ["dcgan-mnist-k7f3", "a", "0", "a.b_c-d", "a" * 63])
def test_an_id_is_lower_case_letters_digits_dots_dashes_and_underscores(run: str) -> None:
    assert layout.check_run_id(run) == run


@pytest.mark.parametrize(
    "run", ["", ".", "..", ".a", "-a", "_a", "A", "a/b", "a b", "a\n", "é", "a" * 64, "a%", "../a", "\u0661"]
)
def test_what_is_no_id_is_refused_with_the_value_in_quotes(run: str) -> None:
    for use in (layout.check_run_id, layout.run, layout.ledger, layout.checkpoints, lambda r: layout.entry(r, 0)):
        with pytest.raises(BadInputError) as refused:
            use(run)
        assert f'"{run}"' in refused.value.message


@given(IDS, st.integers(0, 10**12))
def test_an_entry_s_number_can_be_read_from_its_key(run: str, seq: int) -> None:
    assert layout.entry_seq(layout.entry(run, seq)) == seq


@pytest.mark.parametrize(
    "name",
    ["README", "1.json", "0000000a.json", "00000001.json.part", "00000001.JSON", "00000001", ".json", "-0000001.json"],
)
def test_what_is_no_entry_s_key_has_no_number(name: str) -> None:
    assert layout.entry_seq(f"runs/r/ledger/{name}") is None


def test_entries_are_listed_in_their_order() -> None:
    keys = [layout.entry("r", seq) for seq in (*range(0, 2000, 7), 99_999_998, 99_999_999)]
    assert keys == sorted(keys)


@given(st.integers(0, 10**10), st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True))
def test_a_sample_s_step_and_name_can_be_read_from_its_name(step: int, name: str) -> None:
    assert layout.sample_parts(layout.sample(step, name)) == (step, name)
    assert layout.is_object_name(layout.sample(step, name))


@pytest.mark.parametrize("name", [layout.STATE, layout.METRICS, "samples/00000001-a.png", "a/b/c.d"])
def test_an_object_s_name_stays_in_its_checkpoint(name: str) -> None:
    assert layout.is_object_name(name)


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b", "a/", ".hidden", "a/.b", "a\\b", "a b", "a\n"])
def test_a_name_that_leads_elsewhere_is_no_object_s(name: str) -> None:
    assert not layout.is_object_name(name)


@pytest.mark.parametrize("store", ["file:///data/store", "s3://bucket/prefix", "s3://bucket", "memory://name"])
@given(run=IDS)
def test_a_run_s_url_can_be_taken_apart_again(store: str, run: str) -> None:
    for given_store in (store, f"{store}/"):
        assert layout.split_run_url(layout.run_url(given_store, run)) == (store, run)
    assert layout.split_run_url(f"{layout.run_url(store, run)}/") == (store, run)


@pytest.mark.parametrize(
    "url", ["", "file:///data", "file:///data/runs/", "file:///data/runs/a/b", "file:///data/run/a", "file:///runs/A"]
)
def test_what_is_no_run_s_url_is_refused_with_the_value_in_quotes(url: str) -> None:
    with pytest.raises(BadInputError, match='"'):
        layout.split_run_url(url)
