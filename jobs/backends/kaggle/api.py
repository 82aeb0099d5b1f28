"""A small client of Kaggle's API: what a backend needs of it, with time-outs, and no more.

On the standard library. Kaggle's own `kaggle` signs in and may exit when it is imported; its `kagglesdk` brings
protobuf and requests, 0.4 s of import, and waits for ever where nothing answers. Proxies are those of the
environment (`https_proxy`, `no_proxy`), redirects are refused, and a token goes to Kaggle's own host alone.

The forms are those of kagglesdk 0.1.38: `POST {endpoint}/v1/{service}/{Method}`, camelCase, defaults left out.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from facegan.errors import BadInputError
from facegan.experiment import Json
from jobs.backends.kaggle import answers
from jobs.backends.kaggle.answers import Quota, Status
from jobs.backends.kaggle.refusals import UNKNOWN_TO_IT, AnswerError
from jobs.backends.rest import NoRedirect, or_silence
from jobs.loopback import is_loopback
from jobs.refusals import Auth, Uncertain

ENDPOINTS: Mapping[str, str] = {
    "PROD": "https://api.kaggle.com",
    "LOCALHOST": "http://localhost/api",
    "TEST": "http://localhost:7777/api",
}
KERNELS = "kernels.KernelsApiService"
DATASETS = "datasets.DatasetApiService"
SIGN_IN = "make a token on kaggle.com (settings, API), and put it into KAGGLE_API_TOKEN or ~/.kaggle/access_token"

Answer = TypeVar("Answer")


def endpoint(environment: Mapping[str, str]) -> str:
    """Where Kaggle is; its clients' own `KAGGLE_API_ENVIRONMENT` chooses another, as tests do.

    Raises:
        BadInputError: no such place.
    """
    name = environment.get("KAGGLE_API_ENVIRONMENT") or "PROD"
    if name not in ENDPOINTS:
        raise BadInputError(f'KAGGLE_API_ENVIRONMENT is "{name}"', hint=f"one of {', '.join(ENDPOINTS)}")
    return ENDPOINTS[name]


def is_here(environment: Mapping[str, str]) -> bool:
    """Whether the Kaggle that is chosen is this machine, as a stand-in is."""
    chosen = ENDPOINTS.get(environment.get("KAGGLE_API_ENVIRONMENT") or "PROD", "")
    return is_loopback(urllib.parse.urlsplit(chosen).hostname)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long one answer is waited for, in seconds, and after which pauses a question is asked again."""

    timeout_s: float
    again_s: Sequence[float] = ()


PATIENT = Patience(timeout_s=30.0, again_s=(1.0, 4.0))
HURRIED = Patience(timeout_s=4.0)  # for what a command shows beside other things


class Api:
    """Kaggle, as one account sees it.

    Raises, in every verb:
        AnswerError: it answers, and the answer is no.
        Uncertain: it does not answer, or not in a way that says anything.
    """

    def __init__(
        self,
        endpoint: str,
        authorization: str | None,
        sleep: Callable[[float], object],
        patience: Patience = PATIENT,
    ) -> None:
        self._endpoint = endpoint
        self._authorization = authorization
        self._sleep = sleep
        self._patience = patience
        self._opener = urllib.request.build_opener(NoRedirect)

    def introspect(self, token: str) -> str | None:
        """Whose token this is; `None` when it is nobody's, or no longer."""
        try:
            answer = self._ask("security.OAuthService/IntrospectToken", {"token": token})
        except AnswerError as error:
            if error.status == answers.ERROR or error.status in UNKNOWN_TO_IT:
                return None
            raise
        return answer.get("username") if answer.get("active") else None

    def refresh(self, token: str) -> str:
        """An access token for an hour or so, from the one that `kaggle auth login` left behind."""
        asked = {"refreshToken": token, "apiVersion": "API_VERSION_V1"}
        return str(self._ask("users.AccountService/GenerateAccessToken", asked).get("token", ""))

    def quota(self) -> Quota:
        """What is left of this week.

        Raises:
            Auth: Kaggle does not know us.
            Uncertain: it answers, and does not say how much there is.
        """
        return Quota.of(self.require_known())

    def require_known(self) -> Json:
        """The proof of who we are: this is asked of nothing else.

        Raises:
            Auth: Kaggle does not know us.
        """
        try:
            return self._ask(f"{KERNELS}/GetAcceleratorQuotaStatistics", {})
        except AnswerError as error:
            if error.status not in UNKNOWN_TO_IT:
                raise
            raise Auth("Kaggle does not take the credentials that are set up here", hint=SIGN_IN) from error

    def save_kernel(self, request: Json) -> Json:
        """Push a kernel, which starts a session of it, every time anew. Sent once, whatever happens."""
        return self._tell(f"{KERNELS}/SaveKernel", request)

    def status(self, owner: str, slug: str) -> Status | None:
        """The state of a kernel; `None` when Kaggle knows us, and knows no such kernel of ours.

        It gives the same answer for what is not there and for what we may not see. So it is asked who we are.

        Raises:
            Auth: it does not know us.
        """
        try:
            answer = self._ask(f"{KERNELS}/GetKernelSessionStatus", {"userName": owner, "kernelSlug": slug})
        except AnswerError as error:
            if error.status not in UNKNOWN_TO_IT:
                raise
            self.require_known()
            return None
        return Status(state=answers.state(answer.get("status")), failure=str(answer.get("failureMessage") or ""))

    def log(self, owner: str, slug: str) -> str:
        """What an ended session printed: a JSON list of events, in a text. Empty while it runs."""
        asked = {"userName": owner, "kernelSlug": slug, "pageSize": 1}
        return str(self._ask(f"{KERNELS}/ListKernelSessionOutput", asked).get("log") or "")

    def outputs(self, owner: str, slug: str) -> Mapping[str, str]:
        """The files that an ended session has left: by name, each with the address that gives it for a while."""
        found: dict[str, str] = {}
        token = ""
        while True:
            asked = {"userName": owner, "kernelSlug": slug, "pageSize": 200, "pageToken": token}
            method = f"{KERNELS}/ListKernelSessionOutput"
            page = self._ask(method, {key: value for key, value in asked.items() if value})
            found |= {str(each.get("fileName", "")): str(each.get("url", "")) for each in page.get("files") or []}
            if page.get("nextPageToken") in {None, "", token}:
                return found
            token = str(page["nextPageToken"])

    def download(self, address: str, at_most: int) -> bytes:
        """A file that was listed: signed for, so nothing of ours goes along. Of a longer one, a byte more than that."""
        request = urllib.request.Request(address)  # noqa: S310 - Kaggle's
        with self._open(request, self._patience.timeout_s) as answer:
            return _or_silence(lambda: answer.read(at_most + 1))

    def stream(self, owner: str, slug: str, timeout_s: float) -> Iterator[bytes]:
        """The lines of the live log, from its first line on; ends when nothing came for so long."""
        address = f"{self._endpoint}/v1/kernels/logs/stream/{owner}/{slug}"
        with self._open(self._request(address), timeout_s) as lines:
            while line := _or_silence(lambda: lines.readline(answers.LARGEST)):
                yield line

    def delete_kernel(self, owner: str, slug: str) -> None:
        """End its session, and destroy the kernel with all that it printed and left."""
        answer = self._tell(f"{KERNELS}/DeleteKernel", {"userName": owner, "kernelSlug": slug})
        answers.require(answer, "errorMessage")

    def cancel_session(self, session_id: int) -> None:
        answers.require(self._tell(f"{KERNELS}/CancelKernelSession", {"kernelSessionId": session_id}), "errorMessage")

    def upload(self, name: str, data: bytes) -> str:
        """Put a file where a data set can be made of it; returns the token that names it."""
        asked = {"type": "DATASET", "name": name, "contentLength": len(data)}
        begun = self._ask("blobs.BlobApiService/StartBlobUpload", asked)
        request = urllib.request.Request(str(begun["createUrl"]), data=data, method="PUT")  # noqa: S310 - Kaggle's
        with self._open(request, self._patience.timeout_s):
            return str(begun["token"])

    def create_dataset(self, owner: str, slug: str, tokens: Sequence[str]) -> None:
        """Make a private data set of uploaded files. A name that is taken is an AnswerError that says so."""
        asked = {
            "ownerSlug": owner,
            "slug": slug,
            "title": slug,
            "licenseName": "other",
            "isPrivate": True,
            "files": [{"token": token} for token in tokens],
        }
        answers.require(self._tell(f"{DATASETS}/CreateDataset", asked), "error")

    def dataset_status(self, owner: str, slug: str) -> str:
        """`READY`, `FAILED`, `DELETED`, or what is on its way; its owner is refused it at first."""
        answer = self._ask(f"{DATASETS}/GetDatasetStatus", {"ownerSlug": owner, "datasetSlug": slug})
        return answers.name_of(answer.get("status") or "NOT_YET_PERSISTED")

    def delete_dataset(self, owner: str, slug: str) -> None:
        """May be repeated: one that is not there is no error."""
        try:
            answer = self._tell(f"{DATASETS}/DeleteDataset", {"ownerSlug": owner, "datasetSlug": slug})
        except AnswerError as error:
            if error.status not in UNKNOWN_TO_IT:
                raise
            self.require_known()
            return
        answers.require(answer, "error")

    def datasets(self, search: str) -> Sequence[str]:
        """The names, without their owner, of our own data sets that Kaggle's search finds."""
        found, token = [], ""
        while True:
            asked = {"group": "DATASET_SELECTION_GROUP_MY", "search": search, "pageSize": 100, "pageToken": token}
            page = self._ask(f"{DATASETS}/ListDatasets", {key: value for key, value in asked.items() if value})
            found += [str(each.get("ref", "")).rpartition("/")[2] for each in page.get("datasets") or []]
            if page.get("nextPageToken") in {None, "", token}:
                return found
            token = str(page["nextPageToken"])

    def _ask(self, method: str, body: Json) -> Json:
        """Send what may be sent again, and send it again where nothing is answered."""
        for pause in self._patience.again_s:
            try:
                return self._tell(method, body)
            except Uncertain:
                self._sleep(pause)
        return self._tell(method, body)

    def _tell(self, method: str, body: Json) -> Json:
        request = self._request(f"{self._endpoint}/v1/{method}", json.dumps(body).encode())
        with self._open(request, self._patience.timeout_s) as answer:
            data = _or_silence(lambda: answer.read(answers.LARGEST))
        return answers.body(data)

    def _request(self, address: str, data: bytes | None = None) -> urllib.request.Request:
        request = urllib.request.Request(address, data=data)  # noqa: S310 - the endpoint's
        request.add_header("Content-Type", "application/json")
        request.add_header("User-Agent", "facegan-job")
        if self._authorization:
            request.add_unredirected_header("Authorization", self._authorization)
        return request

    def _open(self, request: urllib.request.Request, timeout_s: float) -> http.client.HTTPResponse:
        try:
            answer: http.client.HTTPResponse = _or_silence(lambda: self._opener.open(request, timeout=timeout_s))
        except urllib.error.HTTPError as error:
            with error:
                raise answers.refused(error.code, answers.words(error)) from error
        return answer


def _or_silence(ask: Callable[[], Answer]) -> Answer:
    return or_silence("Kaggle", answers.LATER, ask)
