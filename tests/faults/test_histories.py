"""Thousands of seeded histories of everything that goes wrong end like a run that nothing befell.

`FACEGAN_TEST_SEED` sets the first seed. A history that breaks a promise names its own, and lives it again:
`pytest tests/faults -k lived_again` with that seed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.faults.history import live
from tests.faults.weather import PAIRS, Fault

SEED = int(os.environ.get("FACEGAN_TEST_SEED", "0"))
SHORT, LONG = 1_000, 10_000


def lived(seeds: Sequence[int]) -> None:
    befell: Counter[tuple[str, Fault]] = Counter()
    for seed in seeds:
        try:
            befell += live(seed).befell
        except BaseException as error:
            error.add_note(f"FACEGAN_TEST_SEED={seed} pytest tests/faults -k lived_again")
            raise
    print(f"{len(seeds):,} histories, {befell.total():,} faults, {len(befell):,} of {len(PAIRS):,} pairs")
    for (verb, fault), count in sorted(befell.items(), key=lambda item: (item[0][0], item[0][1].value)):
        print(f"{count:7,}  {verb:8} {fault.value}")
    assert not PAIRS - befell.keys(), "never reached"


def test_every_history_ends_like_a_run_that_nothing_befell() -> None:
    lived(range(SEED, SEED + SHORT))


@pytest.mark.long
@pytest.mark.timeout(3_000)
def test_so_do_ten_thousand() -> None:
    lived(range(SEED, SEED + LONG))


def test_one_history_can_be_lived_again() -> None:
    assert live(SEED).befell == live(SEED).befell
