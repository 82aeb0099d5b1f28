"""A session that is ended from here: by its number, or with its kernel."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from facegan.errors import BadInputError
from facegan.process import Life
from jobs.backends.kaggle.backend import KaggleBackend
from jobs.refusals import Uncertain
from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.faults import AFTER, BEFORE
from tests.kaggle.looking import NAME, calls
from tests.kaggle.submitting import backend, hand, order


@pytest.fixture
def ref(service: Kaggle, here: KaggleBackend) -> dict[str, object]:
    """Of a session that waits for its machine, with the number that it would publish."""
    service.set(queue_s=1e6)
    made = here.submit(order(), hand)
    return {**made, "session_id": service.session(NAME).number}


def without_number(ref: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in ref.items() if name != "session_id"}


def test_it_is_cancelled_by_the_number_that_it_published(
    service: Kaggle, here: KaggleBackend, ref: dict[str, object]
) -> None:
    here.cancel(ref)
    service.over(NAME)
    fate = here.fate(ref)
    assert (fate.life, fate.why) == (Life.GONE, "its session was cancelled at Kaggle")


def test_cancelled_twice_it_is_told_once(service: Kaggle, here: KaggleBackend, ref: dict[str, object]) -> None:
    here.cancel(ref)
    here.cancel(ref)
    service.over(NAME)
    here.cancel(ref)
    here.cancel(ref, delete=True)
    assert len(calls(service, "CancelKernelSession")) == 1
    assert not calls(service, "DeleteKernel")


def test_without_its_number_it_says_what_to_do(service: Kaggle, here: KaggleBackend, ref: dict[str, object]) -> None:
    with pytest.raises(BadInputError, match="is not known") as caught:
        here.cancel(without_number(ref))
    assert caught.value.hint is not None
    assert str(ref["url"]) in caught.value.hint
    assert "--delete" in caught.value.hint
    assert here.fate(ref).life is Life.ALIVE
    here.cancel(without_number(ref), delete=True)
    fate = here.fate(ref)
    assert (fate.life, fate.why) == (Life.GONE, "its kernel is not at Kaggle any more")
    assert not any(service.kernels.all())
    here.cancel(without_number(ref))


def test_a_number_that_kaggle_does_not_take_deletes_nothing_unasked(
    service: Kaggle, here: KaggleBackend, ref: dict[str, object]
) -> None:
    service.set(cancel_works=False)
    with pytest.raises(BadInputError, match="cannot be cancelled"):
        here.cancel(ref)
    assert any(service.kernels.all())
    here.cancel(ref, delete=True)
    assert not any(service.kernels.all())


@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("name", ["CancelKernelSession", "DeleteKernel", "GetKernelSessionStatus"])
def test_without_an_answer_the_same_again_does_the_rest(
    service: Kaggle, here: KaggleBackend, ref: dict[str, object], name: str, when: str
) -> None:
    named = without_number(ref) if name == "DeleteKernel" else ref
    service.faults.fail(name, when=when, code=503, times=3 if name.startswith("Get") else 1)
    with pytest.raises(Uncertain):
        here.cancel(named, delete=True)
    here.cancel(named, delete=True)
    if any(service.kernels.all()):
        service.over(NAME)
        assert here.fate(named).life is Life.GONE


def test_a_kernel_that_others_deleted_is_gone_once_it_has_been_missed_for_a_while(
    service: Kaggle, here: KaggleBackend, ref: dict[str, object], tmp_path: Path
) -> None:
    service.kernels.delete(service.account, {"userName": "ada", "kernelSlug": NAME})
    assert here.fate(ref).life is Life.UNKNOWN
    threading.Event().wait(0.1)
    fate = backend(tmp_path).fate(ref)
    assert (fate.life, fate.why) == (Life.GONE, "its kernel is not at Kaggle any more")
