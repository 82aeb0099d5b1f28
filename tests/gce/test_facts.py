"""The page shows what the table says, and no word of the table means two things."""

from __future__ import annotations

from pathlib import Path

from jobs.backends.gce import facts
from jobs.refusals import KINDS
from tests.fakes import gce_rules

PAGE = (Path(__file__).parents[2] / "docs" / "gce.md").read_text(encoding="utf-8")


def test_the_page_shows_every_gpu_with_its_types() -> None:
    for each in facts.ACCELERATORS:
        with_it = f" with {each.attached}" if each.attached else ""
        assert f"| {each.gpu} | {', '.join(each.types)}{with_it} | {each.memory_gib} GiB | `{each.quota}` |" in PAGE
    assert f"| none | {', '.join(facts.WITHOUT)} | | `CPUS` |" in PAGE
    assert facts.SERVICE_ACCOUNT in PAGE
    assert facts.IMAGE.value.rpartition("/")[2] in PAGE
    assert facts.ALL_GPUS in PAGE


def test_the_page_shows_what_it_all_stands_on() -> None:
    for each in facts.KNOWN:
        assert f"| {each.what} | `{each.value}` | {each.sure.value}, {each.seen} |" in PAGE


def test_no_answer_means_two_things() -> None:
    groups = [facts.NO_ROOM, facts.USED_UP, facts.BUSY, facts.THERE_ALREADY, frozenset(facts.KINDS)]
    assert sum(map(len, groups)) == len(frozenset().union(*groups))
    assert {kind for kind, _ in facts.KINDS.values()} <= set(KINDS)


def test_a_gpu_is_known_by_letters_of_either_case() -> None:
    found = facts.accelerator("t4")
    assert found is not None
    assert found.gpu == "T4"
    assert facts.accelerator("V100") is None


def test_a_type_either_brings_its_gpu_or_is_given_one() -> None:
    for each in facts.ACCELERATORS:
        brings = {type.startswith(gce_rules.BRINGS_A_GPU) for type in each.types}
        assert brings == {each.attached is None}
