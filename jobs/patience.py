"""Asking several places at once, none of which may keep the others waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

Answer = TypeVar("Answer")


def at_once(
    names: Iterable[str], ask: Callable[[str], Answer], patience_s: float, clock: Callable[[], float]
) -> Mapping[str, Answer]:
    """What each of them says, as far as they say it in `patience_s` seconds of this clock. `ask` raises nothing."""
    answers: dict[str, Answer] = {}

    def answer(name: str) -> None:
        answers[name] = ask(name)

    threads = [threading.Thread(target=answer, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    deadline = clock() + patience_s
    for thread in threads:
        thread.join(max(0.0, deadline - clock()))
    return dict(answers)
