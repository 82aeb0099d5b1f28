"""The official clients, as they come, against the stand-in for Kaggle: what they take for an answer keeps it honest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetStatusRequest
from kagglesdk.kaggle_client import KaggleClient
from kagglesdk.kaggle_env import KaggleEnv
from kagglesdk.kernels.types.kernels_api_service import (
    ApiCancelKernelSessionRequest,
    ApiDeleteKernelRequest,
    ApiGetKernelSessionStatusRequest,
    ApiListKernelSessionOutputRequest,
    ApiListKernelsRequest,
    ApiSaveKernelRequest,
)
from kagglesdk.kernels.types.kernels_enums import KernelWorkerStatus

from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.faults import BEFORE, Request
from tests.kaggle.calling import SLEEP, push
from tests.kaggle.looking import calls
from tests.waiting import until

TALKS = """
import time
for n in range(4):
    print("line", n, flush=True)
    time.sleep(.3)
open("out", "w").write("made")
"""


class Cli:
    """The command `kaggle` of an empty home."""

    def __init__(self, kaggle: Kaggle, folder: Path) -> None:
        self.folder = folder
        self._environment = {"HOME": str(folder), "PATH": os.environ["PATH"], **kaggle.client_environment()}

    def __call__(self, *words: object, code: int = 0, **variables: str) -> str:
        command = [str(Path(sys.executable).with_name("kaggle")), *map(str, words)]
        environment = self._environment | variables
        done = subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def kernel(self, slug: str, text: str, **more: object) -> Path:
        """A folder to be pushed."""
        folder = self.folder / slug
        folder.mkdir(exist_ok=True)
        (folder / "main.py").write_text(text)
        about = {"id": f"ada/{slug}", "title": slug.replace("-", " "), "code_file": "main.py", "language": "python"}
        (folder / "kernel-metadata.json").write_text(json.dumps(about | {"kernel_type": "script"} | more))
        return folder


@pytest.fixture
def cli(kaggle: Kaggle, tmp_path: Path) -> Cli:
    return Cli(kaggle, tmp_path)


def test_a_kernel_from_push_to_delete(kaggle: Kaggle, cli: Cli) -> None:
    pushed = cli("kernels", "push", "-p", cli.kernel("from-cli", TALKS), "--accelerator", "NvidiaTeslaT4")
    assert "Kernel version 1 successfully pushed" in pushed
    assert 'status "KernelWorkerStatus.' in cli("kernels", "status", "ada/from-cli")
    assert cli("kernels", "logs", "-f", "ada/from-cli").splitlines()[:4] == [f"line {n}" for n in range(4)]
    session = kaggle.over("from-cli")
    assert session.wish.shape == "NvidiaTeslaT4"
    cli("kernels", "output", "ada/from-cli", "-p", cli.folder / "got")
    assert (cli.folder / "got/out").read_text() == "made"
    assert (cli.folder / "got/from-cli.log").read_text() == session.log.text()
    assert "deleted successfully" in cli("kernels", "delete", "ada/from-cli", "-y")
    assert kaggle.kernels.all() == []


def test_a_refused_push_ends_with_zero(kaggle: Kaggle, cli: Cli) -> None:
    # So the code of its end is no proof of anything [R].
    kaggle.account.spend(kaggle.clock, hours=30)
    said = cli("kernels", "push", "-p", cli.kernel("refused-one", TALKS, enable_gpu=True))
    assert "Kernel push error: Maximum weekly GPU quota of 30.00 hours reached." in said
    assert "400 Client Error" in cli("kernels", "push", "-p", cli.kernel("too-large", "#" * 1_100_000), code=1)


def test_quota_and_list(kaggle: Kaggle, cli: Cli) -> None:
    kaggle.account.spend(kaggle.clock, hours=2.5)
    gpu = json.loads(cli("quota", "--format", "json"))[0]
    assert [gpu[name] for name in ("resource", "used", "remaining", "total")] == ["GPU", "2.50h", "27.50h", "30.00h"]
    push(kaggle)
    assert "ada/first-one" in cli("kernels", "list", "--mine", "--csv")


def test_a_data_set_from_folder_to_mount(kaggle: Kaggle, cli: Cli) -> None:
    folder = cli.folder / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"a" * 1000)
    (folder / "sub/b.txt").write_text("b")
    about = {"id": "ada/my-data", "title": "My data", "licenses": [{"name": "CC0-1.0"}]}
    (folder / "dataset-metadata.json").write_text(json.dumps(about))
    assert "private Dataset is being created" in cli("datasets", "create", "-p", folder, "--dir-mode", "zip")
    until(lambda: kaggle.datasets.mountable(kaggle.account, "ada/my-data"))
    assert cli("datasets", "status", "ada/my-data").strip() == "ready"
    assert "version is being created" in cli("datasets", "version", "-p", folder, "-m", "again", "--dir-mode", "zip")
    until(lambda: kaggle.datasets.mountable(kaggle.account, "ada/my-data"))
    reads = "import pathlib; print(sorted(p.name for p in pathlib.Path('/kaggle/input').rglob('*.*')))"
    push(kaggle, text=reads, datasetDataSources=["ada/my-data"])
    assert kaggle.over("first-one").log.plain().startswith("['a.bin', 'b.txt']")


def test_a_legacy_key_and_a_wrong_token(kaggle: Kaggle, cli: Cli) -> None:
    # User and key where there is no token [S].
    legacy = {"KAGGLE_API_TOKEN": "", "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": kaggle.account.key}
    assert "GPU" in cli("quota", **legacy)
    assert "Authentication required" in cli("quota", code=1, **(legacy | {"KAGGLE_KEY": "wrong"}))
    assert "Authentication required" in cli("quota", code=1, KAGGLE_API_TOKEN="wrong")


def test_a_log_that_is_cut_is_followed_to_its_end_once(kaggle: Kaggle, cli: Cli) -> None:
    # The client counts what it has seen, and gets it all again [S]. It gives up where a few connections in a row bring
    # nothing new, however slow the script is: so only the first one is cut.
    def heal(request: Request, when: str) -> None:
        if when == BEFORE and len(calls(kaggle, "/logs/stream/")) > 1 and "/logs/stream/" in request.call:
            kaggle.set(events_before_cut=None)

    kaggle.set(events_before_cut=2)
    kaggle.faults.watcher = heal
    push(kaggle, text=TALKS)
    lines = cli("kernels", "logs", "-f", "ada/first-one").splitlines()
    assert [line for line in lines if line.startswith("line")] == [f"line {n}" for n in range(4)]


@pytest.fixture
def sdk(kaggle: Kaggle) -> KaggleClient:
    client = KaggleClient(env=KaggleEnv.PROD, api_token=kaggle.account.token)
    client.http_client()._endpoint = kaggle.url
    return client


def test_kagglesdk_in_this_process(kaggle: Kaggle, sdk: KaggleClient) -> None:
    kaggle.set(queue_s=3600)
    api = sdk.kernels.kernels_api_client
    request = ApiSaveKernelRequest()
    request.slug, request.new_title, request.text = "ada/by-sdk", "by sdk", SLEEP
    request.language, request.kernel_type, request.machine_shape = "python", "script", "NvidiaTeslaP100"
    saved = api.save_kernel(request)
    assert (saved.error or "", saved.version_number, saved.ref) == ("", 1, "/code/ada/by-sdk")
    assert _status(sdk) == KernelWorkerStatus.QUEUED
    kaggle.clock.skip(hours=1)
    until(lambda: _status(sdk) == KernelWorkerStatus.RUNNING)
    until(lambda: "up" in kaggle.session("by-sdk").log.plain())
    mine = ApiListKernelsRequest()
    mine.user = "ada"
    assert api.list_kernels(mine).kernels[0].machine_shape == "NvidiaTeslaT4"
    quota = api.get_accelerator_quota_statistics()
    assert quota.gpu_quota.total_time_allowed.total_seconds() == 108_000
    assert quota.quota_refresh_time.weekday() == 5
    cancel = ApiCancelKernelSessionRequest()
    cancel.kernel_session_id = kaggle.session("by-sdk").number
    api.cancel_kernel_session(cancel)
    kaggle.over("by-sdk")
    assert _status(sdk) == KernelWorkerStatus.CANCEL_ACKNOWLEDGED
    output = ApiListKernelSessionOutputRequest()
    output.user_name, output.kernel_slug = "ada", "by-sdk"
    assert json.loads(api.list_kernel_session_output(output).log)[0]["data"] == "up\n"
    gone = ApiDeleteKernelRequest()
    gone.user_name, gone.kernel_slug = "ada", "by-sdk"
    api.delete_kernel(gone)
    with pytest.raises(requests.HTTPError, match="denied"):
        _status(sdk)


def test_kagglesdk_and_words_it_does_not_know(kaggle: Kaggle, sdk: KaggleClient) -> None:
    # Another spelling is understood, a new word is a KeyError [S]; left-out defaults are the first value.
    push(kaggle, text=SLEEP)
    kaggle.kernel("first-one").status = "cancelAcknowledged"
    assert _status(sdk, "first-one") == KernelWorkerStatus.CANCEL_ACKNOWLEDGED
    kaggle.kernel("first-one").status = "HIBERNATING"
    with pytest.raises(KeyError):
        _status(sdk, "first-one")
    kaggle.kernel("first-one").status = "QUEUED"
    kaggle.set(omits_defaults=True)
    assert _status(sdk, "first-one") == KernelWorkerStatus.QUEUED


def test_kagglesdk_and_answers_that_are_no_answers(kaggle: Kaggle, sdk: KaggleClient) -> None:
    # What its users saw: a status without words, words of JSON's, and what may be missing or another's [F].
    kaggle.faults.fail(code=503)
    with pytest.raises(requests.HTTPError, match="503 Server Error"):
        _status(sdk)
    kaggle.faults.fail(code=200, nth=1)
    with pytest.raises(ValueError, match="Expecting value: line 1 column 1"):
        _status(sdk)
    request = ApiGetDatasetStatusRequest()
    request.owner_slug, request.dataset_slug = "ada", "no-such"
    with pytest.raises(requests.HTTPError, match=r"'datasets\.get' was denied"):
        sdk.datasets.dataset_api_client.get_dataset_status(request)


def _status(sdk: KaggleClient, slug: str = "by-sdk") -> KernelWorkerStatus:
    request = ApiGetKernelSessionStatusRequest()
    request.user_name, request.kernel_slug = "ada", slug
    return sdk.kernels.kernels_api_client.get_kernel_session_status(request).status
