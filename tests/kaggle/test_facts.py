"""The page shows the table of facts whole, with how sure each line is."""

from __future__ import annotations

from pathlib import Path

from jobs.backends.kaggle import facts

PAGE = (Path(__file__).parents[2] / "docs" / "kaggle.md").read_text(encoding="utf-8")


def lines() -> list[str]:
    numbers = [f"| {each.what} | {each.value:,} | {each.sure.value} | {each.seen} |" for each in facts.NUMBERS]
    cards = [
        f"| `{each.gpu}` | `{each.shape}`: {each.cards} cards | {each.sure.value} | {each.seen} |"
        for each in facts.ACCELERATORS
    ]
    gone = [
        f"| `{each.gpu}` | retired since {each.since} | {each.sure.value} | {each.since[:7]} |"
        for each in facts.RETIRED
    ]
    data = [f"| `{each.data}` | `{each.ref}` | {each.sure.value} | {each.seen} |" for each in facts.SOURCES]
    words = [f"| “{each.part}” | {each.kind} | {each.sure.value} | {each.seen} |" for each in facts.REFUSALS]
    return [*numbers, *cards, *gone, *data, *words]


def test_every_fact_is_on_the_page() -> None:
    missing = [line for line in lines() if line not in PAGE]
    assert not missing, "\n".join(missing)


def test_a_retired_gpu_is_not_offered() -> None:
    assert not {each.gpu for each in facts.RETIRED} & {each.gpu for each in facts.ACCELERATORS}
