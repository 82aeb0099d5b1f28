"""The stand-in as a whole: what a test starts, sets, and looks into."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fakes.kaggle.accounts import Account, Accounts
from tests.fakes.kaggle.answers import ApiError, Json
from tests.fakes.kaggle.blobs import Blobs
from tests.fakes.kaggle.clock import Clock
from tests.fakes.kaggle.datasets import Datasets
from tests.fakes.kaggle.faults import Faults
from tests.fakes.kaggle.kernels import Kernel, Kernels
from tests.fakes.kaggle.rules import Rules
from tests.fakes.kaggle.server import Server
from tests.fakes.kaggle.sessions import Session
from tests.waiting import until

USER = "ada"


class Kaggle:
    """A running service. `account` is the user's own; `rules`, `clock` and `faults` may be changed at any time.

    A session keeps the rules it was pushed under.
    """

    def __init__(self, folder: Path, *, seconds_per_hour: float = 60.0) -> None:
        self.rules = Rules()
        self.clock = Clock(seconds_per_hour=seconds_per_hour)
        self.faults = Faults()
        self.accounts = Accounts()
        self.account = self.accounts.add(Account(username=USER))
        for name in ("blobs", "datasets", "sessions"):
            (folder / name).mkdir(parents=True)
        self.blobs = Blobs(folder / "blobs")
        self.datasets = Datasets(folder / "datasets", self.blobs, self.clock)
        self.kernels = Kernels(folder / "sessions", self.datasets, self.clock)
        self.bugs: list[str] = []
        self._server = Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def endpoint(self) -> str:
        """What takes the place of `https://api.kaggle.com`."""
        return self.url

    def set(self, **changes: Any) -> None:
        """Change rules: `kaggle.set(gpu_sessions=1)`."""
        self.rules = dataclasses.replace(self.rules, **changes)

    def cap(self, *, seconds: float) -> None:
        """Have the 12 hours of a session take so many real seconds."""
        self.clock.seconds_per_hour = seconds / (self.rules.session_s / 3600)

    def client_environment(self) -> dict[str, str]:
        """Variables that lead the official clients here."""
        return {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "KAGGLE_API_TOKEN": self.account.token,
            "http_proxy": self.url,
            "no_proxy": "",
        }

    def call(self, authorization: str, call: str, body: Json, base: str) -> Json:
        """One call of the service, as anybody who may ask. Raises `ApiError`."""
        if call == "security.OAuthService/IntrospectToken":
            return self.accounts.introspect(body)
        known = self._calls(base)
        if call not in known:
            raise ApiError(404, f"Unknown method {call}")
        return known[call](self.accounts.of_header(authorization), body)

    def kernel(self, slug: str) -> Kernel:
        """The user's kernel of this slug. Raises `StopIteration`."""
        return next(one for one in self.kernels.all() if one.ref == f"{self.account.username}/{slug}")

    def session(self, slug: str) -> Session:
        """The newest session of a kernel."""
        return self.kernel(slug).sessions()[-1]

    def over(self, slug: str, *, seconds: float = 300.0) -> Session:
        """The newest session of a kernel, when it is over. Raises `AssertionError`."""
        session = self.session(slug)
        until(lambda: session.over, patience_s=seconds)
        return session

    def _calls(self, base: str) -> dict[str, Callable[[Account, Json], Json]]:
        kernels, datasets, rules = self.kernels, self.datasets, self.rules
        return {
            "kernels.KernelsApiService/SaveKernel": lambda who, body: kernels.save(who, body, rules),
            "kernels.KernelsApiService/GetKernelSessionStatus": kernels.status,
            "kernels.KernelsApiService/ListKernelSessionOutput": lambda who, body: kernels.output(
                who, body, rules, base
            ),
            "kernels.KernelsApiService/GetKernel": kernels.get,
            "kernels.KernelsApiService/ListKernels": kernels.listed,
            "kernels.KernelsApiService/DeleteKernel": kernels.delete,
            "kernels.KernelsApiService/CancelKernelSession": lambda who, body: kernels.cancel(who, body, rules),
            "kernels.KernelsApiService/GetAcceleratorQuotaStatistics": lambda who, _: kernels.quota(who),
            "blobs.BlobApiService/StartBlobUpload": lambda who, body: self._upload(who, body, base),
            "datasets.DatasetApiService/CreateDataset": lambda who, body: datasets.create(who, body, rules),
            "datasets.DatasetApiService/CreateDatasetVersion": lambda who, body: datasets.create_version(
                who, body, rules
            ),
            "datasets.DatasetApiService/GetDatasetStatus": datasets.status,
            "datasets.DatasetApiService/GetDataset": datasets.get,
            "datasets.DatasetApiService/ListDatasets": datasets.listed,
            "datasets.DatasetApiService/ListDatasetFiles": datasets.list_files,
            "datasets.DatasetApiService/DeleteDataset": datasets.delete,
        }

    def _upload(self, who: Account, body: Json, base: str) -> Json:
        token = self.blobs.start(who.username, body)
        return {"token": token, "createUrl": f"{base}/upload/{token}"}

    def _serve(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _close(self) -> None:
        self.kernels.end_all()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def running(folder: Path, *, seconds_per_hour: float = 60.0) -> Iterator[Kaggle]:
    """A stand-in whose state lies in the folder. When left, every process it started is dead."""
    kaggle = Kaggle(folder, seconds_per_hour=seconds_per_hour)
    kaggle._serve()
    try:
        yield kaggle
    finally:
        kaggle._close()
    assert kaggle.bugs + [one.bug for one in kaggle.kernels.sessions() if one.bug] == []
