"""The page shows the table of facts whole, with how sure each line is."""

from __future__ import annotations

from pathlib import Path

from jobs.backends.colab import facts, refusals
from jobs.refusals import Uncertain

PAGE = (Path(__file__).parents[2] / "docs" / "colab.md").read_text(encoding="utf-8")


def lines() -> list[str]:
    numbers = [f"| {each.what} | {each.value:,} | {each.sure.value} | {each.seen} |" for each in facts.NUMBERS]
    cards = [f"| `{each.gpu}` | {each.plan} | {each.sure.value} | {each.seen} |" for each in facts.ACCELERATORS]
    words = [f"| “{each.part}” | {each.kind} | {each.sure.value} | {each.seen} |" for each in facts.FAILURES]
    return [
        "| | | how sure | seen |", "|---|---|---|---|", *numbers, "",
        "| GPU | for | how sure | seen |", "|---|---|---|---|", *cards, "",
        "| words of a failure | kind | how sure | seen |", "|---|---|---|---|", *words,
    ]  # fmt: skip


def test_every_fact_is_on_the_page() -> None:
    missing = [line for line in lines() if line not in PAGE]
    assert not missing, "\n".join(missing)
    assert f"`{facts.PACKAGE}` {facts.VERSION}" in PAGE


def test_each_kind_of_words_has_its_refusal() -> None:
    for each in facts.FAILURES:
        found = refusals.of_text(f"── it says: {each.part.upper()} ──", "answer")
        assert type(found) is refusals.KINDS[each.kind]
        assert found.hint == each.hint


def test_words_that_nobody_knows_say_nothing() -> None:
    assert type(refusals.of_text("The moon is in the wrong house", "answer")) is Uncertain
    assert "says nothing" in refusals.of_text(" \n", "answer").message


def test_what_opens_a_machine_is_not_repeated() -> None:
    said = "403 for url: https://x.colab.dev/api/contents/a?authuser=0&colab-runtime-proxy-token=SECRET&x=1"
    assert "SECRET" not in refusals.of_text(said, "answer").message
