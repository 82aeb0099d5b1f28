"""The page shows what the table says, and every word of the table is one that EC2 is asked or answers with."""

from __future__ import annotations

from pathlib import Path

from jobs.backends.ec2 import facts
from jobs.refusals import KINDS
from tests.ec2.submitting import backend

PAGE = (Path(__file__).parents[2] / "docs" / "ec2.md").read_text(encoding="utf-8")


def test_the_page_shows_every_gpu_with_its_types() -> None:
    for each in facts.ACCELERATORS:
        assert f"| {each.gpu} | {', '.join(each.types)} | {each.memory_gib} GiB |" in PAGE
    assert f"| none | {', '.join(facts.WITHOUT)} | |" in PAGE
    assert facts.PROFILE in PAGE
    assert facts.GPU_LIMITS[facts.SPOT].code in PAGE


def test_no_answer_means_two_things() -> None:
    assert not facts.NO_ROOM & facts.USED_UP
    assert not (facts.NO_ROOM | facts.USED_UP) & set(facts.KINDS)
    assert {kind for kind, _ in facts.KINDS.values()} <= set(KINDS)


def test_a_gpu_is_known_by_letters_of_either_case(tmp_path: Path) -> None:
    here = backend(tmp_path, "http://127.0.0.1:1")
    assert here._types("t4") == here._types("T4") == ("g4dn.xlarge", "g4dn.2xlarge")
