"""What a submitted session consists of at Kaggle: nothing secret, and nothing else than was shown."""

from __future__ import annotations

import base64
import json

import pytest

from jobs.backends.kaggle import facts
from jobs.backends.kaggle.backend import KaggleBackend
from jobs.refusals import Uncertain
from tests.fakes.kaggle import Kaggle
from tests.kaggle.looking import NAME, calls
from tests.kaggle.submitting import CANARY, hand, order


def test_the_dry_run_is_what_is_sent(service: Kaggle, here: KaggleBackend) -> None:
    asked = order(gpu="T4", bundle=here.bundle("T4"))
    shown = here.command(asked)
    assert not calls(service, "SaveKernel")
    here.submit(asked, hand)
    sent = calls(service, "SaveKernel")[0].body
    assert {**sent, "text": ""} == {**shown["kernel"], "text": ""}
    assert (len(sent["text"]), shown["text"]["bytes"]) == (shown["text"]["bytes"], len(sent["text"]))
    assert 300_000 < len(sent["text"]) < 500_000, "docs/kaggle.md says some 400 KB"
    before, _, _ = shown["kernel"]["text"].partition("WHEEL = ")
    assert sent["text"].startswith(before)
    made = calls(service, "CreateDataset")[0].body
    assert (f"ada/{made['slug']}", made["isPrivate"]) == (shown["dataset"]["ref"], shown["dataset"]["isPrivate"])


def test_no_secret_is_in_what_kaggle_shows(service: Kaggle, here: KaggleBackend) -> None:
    """Of all requests, only the upload of the private file holds it, and neither do our own notes."""
    ref = here.submit(order(), hand)
    service.over(NAME)
    forms = (CANARY, base64.b64encode(CANARY.encode()).decode())
    bodies = json.dumps([request.body for request in service.faults.requests])
    log = service.session(NAME).log.plain()
    mine = "".join(path.read_text() for path in here._notes.folder.rglob("*") if path.is_file())
    for form in forms:
        assert form not in bodies + log + mine + json.dumps(ref) + json.dumps(here.command(order()))
    handed = json.loads((service.datasets.readable(service.account, f"ada/{NAME}-1").files / "handed.json").read_text())
    assert handed["environment"]["AWS_SECRET_ACCESS_KEY"] == CANARY
    assert handed["ref"] == ref
    assert (handed["backend"], handed["host"]) == ("kaggle", "ada")


def test_a_program_that_is_too_large_goes_into_the_data_set(
    service: Kaggle, here: KaggleBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = facts.Fact(what="", value=40_000, sure=facts.Sure.BELIEVED, seen=facts.SEEN)
    monkeypatch.setattr(facts, "SOURCE_BYTES", small)
    here.submit(order(), hand)
    files = service.datasets.readable(service.account, f"ada/{NAME}-1").files
    assert (files / "wheel.bin").read_bytes()[:2] == b"PK"
    assert len(calls(service, "SaveKernel")[0].body["text"]) < small.value


def test_a_data_set_of_an_attempt_before_is_passed_over(service: Kaggle, here: KaggleBackend) -> None:
    service.faults.fail("SaveKernel", code=503)
    with pytest.raises(Uncertain):
        here.submit(order(), hand)
    here.submit(order(), hand)
    assert calls(service, "SaveKernel")[-1].body["datasetDataSources"] == [f"ada/{NAME}-2"]
