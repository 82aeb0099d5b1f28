"""Calls of the stand-in without any client: what is sent is what the test says, and every answer is looked at."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.kaggle import Kaggle

KERNELS = "kernels.KernelsApiService"
DATASETS = "datasets.DatasetApiService"
HELLO = "print('hello', flush=True)"
SLEEP = "import time\nprint('up', flush=True)\ntime.sleep(60)"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body."""

    code: int
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)


def send(kaggle: Kaggle, verb: str, path: str, data: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    """One request, with no authorization but what the headers say."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(kaggle.url).port, timeout=120)
    try:
        connection.request(verb, path, data, headers or {})
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def call(kaggle: Kaggle, method: str, body: dict[str, Any], *, token: str | None = None) -> Answer:
    data = json.dumps(body).encode()
    return send(kaggle, "POST", f"/v1/{method}", data, bearer(token or kaggle.account.token))


def push(kaggle: Kaggle, slug: str = "first-one", text: str = HELLO, **more: Any) -> Answer:
    """Push a script whose title fits its slug."""
    body = {
        "slug": f"{kaggle.account.username}/{slug}",
        "newTitle": slug.replace("-", " "),
        "text": text,
        "language": "python",
        "kernelType": "script",
        "isPrivate": True,
        "enableInternet": True,
    } | more
    return call(kaggle, f"{KERNELS}/SaveKernel", body)


def refusal(answer: Answer) -> str:
    """The words of a refusal, which comes with status 200."""
    assert answer.code == 200
    return str(answer.json["error"])


def named(kaggle: Kaggle, slug: str, **more: Any) -> dict[str, Any]:
    return {"userName": kaggle.account.username, "kernelSlug": slug} | more


def status(kaggle: Kaggle, slug: str, **more: Any) -> str:
    return str(call(kaggle, f"{KERNELS}/GetKernelSessionStatus", named(kaggle, slug, **more)).json["status"])


def output(kaggle: Kaggle, slug: str, **more: Any) -> Any:
    return call(kaggle, f"{KERNELS}/ListKernelSessionOutput", named(kaggle, slug, **more)).json


def quota_s(kaggle: Kaggle) -> float:
    answer = call(kaggle, f"{KERNELS}/GetAcceleratorQuotaStatistics", {}).json
    return float(answer["gpuQuota"]["timeUsed"].rstrip("s"))


def uploaded(kaggle: Kaggle, name: str, data: bytes) -> str:
    """The token of an upload that is done."""
    body = {"type": "DATASET", "name": name, "contentLength": len(data), "lastModifiedEpochSeconds": 1}
    begun = call(kaggle, "blobs.BlobApiService/StartBlobUpload", body).json
    assert send(kaggle, "PUT", urlsplit(begun["createUrl"]).path, data).code == 200
    return str(begun["token"])


def create(kaggle: Kaggle, slug: str, content: dict[str, bytes], **more: Any) -> Answer:
    """A private data set of these files."""
    tokens = [{"token": uploaded(kaggle, name, data)} for name, data in content.items()]
    body = {
        "ownerSlug": kaggle.account.username,
        "slug": slug,
        "title": slug,
        "licenseName": "CC0-1.0",
        "isPrivate": True,
        "files": tokens,
    } | more
    return call(kaggle, f"{DATASETS}/CreateDataset", body)


def dataset(kaggle: Kaggle, slug: str, *, token: str | None = None) -> Answer:
    body = {"ownerSlug": kaggle.account.username, "datasetSlug": slug}
    return call(kaggle, f"{DATASETS}/GetDatasetStatus", body, token=token)


def printed(kaggle: Kaggle, text: str, **more: object) -> str:
    """What a script printed, run to its end."""
    push(kaggle, text=text, **more)
    return kaggle.over("first-one").log.plain()
