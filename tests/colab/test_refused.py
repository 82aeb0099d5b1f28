"""What the command and its service refuse, what they say and do not say, and what is concluded from it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from facegan.errors import BadInputError
from facegan.process import Life
from jobs.backends.colab import facts, naming
from jobs.backends.colab.backend import ColabBackend
from jobs.backends.colab.command import Limits
from jobs.refusals import Auth, Capacity, InvalidJob, Quota, Uncertain
from tests.colab.submitting import backend, hand, nobody, order, words
from tests.fakes.colab import Colab
from tests.fakes.colab.fake import AFTER, Fault
from tests.waiting import until

NAME = naming.name(order())


def test_no_machine_is_no_capacity(colab: Colab, here: ColabBackend) -> None:
    colab.rules.no_machine = True
    with pytest.raises(Capacity, match="Allocation refused") as caught:
        here.submit(order(gpu="T4"), hand)
    assert "resume RUN" in words(caught.value)
    assert not colab.machines


def test_a_gpu_that_the_account_may_not_have_is_quota(colab: Colab, here: ColabBackend) -> None:
    with pytest.raises(Quota, match="Backend rejected accelerator 'H100'"):
        here.submit(order(gpu="H100"), hand)
    assert not colab.machines


def test_another_gpu_than_was_asked_for_is_given_back(colab: Colab, here: ColabBackend) -> None:
    colab.rules.gives = "L4"
    with pytest.raises(Capacity, match="a T4 was asked for, and Colab gave L4"):
        here.submit(order(gpu="T4"), hand)
    assert not colab.machines


def test_a_gpu_that_nobody_knows_is_refused_before_anything_is_asked(colab: Colab, here: ColabBackend) -> None:
    with pytest.raises(InvalidJob, match='no GPU "P100"') as caught:
        here.bundle("P100")
    assert "T4" in words(caught.value)
    assert not colab.calls


@pytest.mark.parametrize(("strategy", "state"), [("oauth2", "absent"), ("adc", "absent"), ("adc", "expired")])
def test_nobody_signed_in_is_our_own_fault(
    colab: Colab, here: ColabBackend, tmp_path: Path, strategy: str, state: str
) -> None:
    colab.rules.sign_in = state
    if strategy == "adc":
        folder = tmp_path / ".config" / "gcloud"
        folder.mkdir(parents=True)
        (folder / "application_default_credentials.json").write_text("{}")
    with pytest.raises(Auth) as caught:
        here.bundle("T4")
    assert f"--auth={strategy}" in colab.calls[0]
    assert "colab sessions" in words(caught.value)
    assert "SECRET" not in words(caught.value)
    with pytest.raises(Uncertain):  # of a number that is asked for, it says nothing
        here.submit(order(), nobody)


def test_a_list_that_nobody_was_asked_for_is_not_empty(colab: Colab, here: ColabBackend) -> None:
    """The command takes a failed sign-in for an account without machines, and ends well."""
    ref = here.submit(order(), hand)
    (here._home / "colab" / NAME / "sessions.json").unlink()
    colab.rules.sign_in = "expired"
    assert here.fate(ref).life is Life.UNKNOWN
    with pytest.raises(Uncertain):
        here.look_up(order())


def test_another_account_knows_nothing_of_a_session(colab: Colab, here: ColabBackend, tmp_path: Path) -> None:
    ref = here.submit(order(), hand)
    colab.rules.user = "grace@example.com"
    assert backend(tmp_path, colab.bin).fate(ref).life is Life.UNKNOWN


@pytest.mark.parametrize("strategy", ["oauth2", "adc"])
def test_without_the_internet_nothing_is_concluded(
    colab: Colab, tmp_path: Path, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = backend(tmp_path, colab.bin).submit(order(), hand)
    if strategy == "adc":
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/somewhere")
    colab.rules.internet = False
    here = backend(tmp_path, colab.bin)
    assert here.fate(ref).life is Life.UNKNOWN
    with pytest.raises(Uncertain) as caught:
        here.look_up(order())
    assert "internet" in words(caught.value)


@pytest.mark.parametrize(("verb", "limit_s"), [("sessions", 60), ("new", 300), ("exec", 120)])
def test_a_command_that_hangs_is_ended(
    colab: Colab, tmp_path: Path, verb: str, limit_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time flies from the moment at which it hangs, and not before, however slow this machine is."""
    typed: list[subprocess.Popen[bytes]] = []

    class Flying(subprocess.Popen[bytes]):
        def wait(self, timeout: float | None = None) -> int:
            if timeout is None:
                return super().wait()
            typed.append(self)
            until(lambda: colab.hangs.is_set() or self.poll() is not None)
            return super().wait(0)

    monkeypatch.setattr(subprocess, "Popen", Flying)
    colab.faults = [Fault(verb=verb, kind="hang", when=AFTER)]
    here = backend(tmp_path, colab.bin, limits=Limits())
    with pytest.raises(Uncertain, match=f"colab {verb} does not answer within {limit_s} seconds"):
        here.submit(order(run="hangs"), hand)
    assert typed[-1].returncode == -signal.SIGKILL


@pytest.mark.parametrize("verb", ["sessions", "new", "exec", "download"])
def test_what_nobody_understands_concludes_nothing(colab: Colab, here: ColabBackend, verb: str) -> None:
    if verb == "download":
        ref = here.submit(order(), hand)
    colab.faults = [Fault(verb=verb, kind="garbage")]
    if verb == "download":
        assert here.fate(ref).life is Life.UNKNOWN
        return
    with pytest.raises(Uncertain, match="502 Bad Gateway"):
        here.submit(order(), hand)


def test_without_the_command_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    here = backend(tmp_path, tmp_path)
    with pytest.raises(BadInputError, match='"colab" is not installed') as caught:
        here.bundle("T4")
    assert f"pip install {facts.PACKAGE}" in str(caught.value.hint)
    assert "facegan-job export colab" in str(caught.value.hint)
    (check,) = here.checks()
    assert (check.ok, check.found) == (False, 'the command "colab" is not installed here')
    assert f"pip install {facts.PACKAGE}" in check.hint
    assert backend(tmp_path, tmp_path, chosen="local,kaggle").checks() == ()


def test_a_newer_version_is_announced_and_nothing_else_changes(colab: Colab, here: ColabBackend) -> None:
    colab.rules.newer = True
    ref = here.submit(order(), hand)
    assert here.submit(order(), nobody) == ref
