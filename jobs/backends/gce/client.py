"""Compute Engine asked by Google's own SDK, which has its home for machines here. Answers are the API's own JSON.

Refusals are `AnswerError`. It is asked through the SDK's classes, which know each field of the API: what they do not
know is an error here, before anything is sent.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import google.auth
import requests.exceptions
from google.api_core import exceptions as failures
from google.api_core.retry import Retry
from google.auth import exceptions as auth
from google.cloud import compute_v1 as compute
from google.protobuf.json_format import MessageToDict

from facegan.errors import UnreachableError
from facegan.experiment import Json
from jobs.backends.gce import facts
from jobs.backends.gce.refusals import BY_STATUS, AnswerError

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
PATIENCE_S = 5.0
QUIET: Mapping[str, Any] = {
    "timeout": 30.0,
    "retry": Retry(
        predicate=lambda error: isinstance(error, (failures.ServerError, failures.TooManyRequests)),
        initial=0.5,
        timeout=PATIENCE_S,
    ),
}
ONCE: Mapping[str, Any] = {"timeout": 60.0, "retry": None}


def project() -> str | None:
    """The project that the credentials belong to."""
    found: str | None = _credentials()[1]
    return found


class Client:
    """A project. `endpoint` is where it is asked, where that is not Google, as gcloud has it.

    Every verb raises `AnswerError` for an answer that refuses, and UnreachableError where there is none.
    """

    def __init__(self, project: str, endpoint: str | None = None) -> None:
        self._project = project
        self._endpoint = endpoint

    def account(self) -> str:
        """Whose credentials these are, as far as they say so."""
        found = _credentials()[0]
        return str(getattr(found, "service_account_email", None) or "a person's credentials")

    def find(self, filter: str) -> list[Json]:
        """The machines that this filter lets through, in every zone and state."""
        return self._everywhere(compute.InstancesClient, filter, "instances")

    def inserts(self, filter: str) -> list[Json]:
        """What was done to the machines that this filter names, in every zone."""
        return self._everywhere(compute.GlobalOperationsClient, filter, "operations")

    def places(self, type: str) -> set[str]:
        """The zones that have this machine type."""
        return self._zones(compute.MachineTypesClient, type, "machine_types")

    def places_of_gpu(self, type: str) -> set[str]:
        """The zones that have this accelerator, to be attached to a machine."""
        return self._zones(compute.AcceleratorTypesClient, type, "accelerator_types")

    def instance(self, zone: str, name: str) -> Json:
        with _errors():
            return _json(
                self._of(compute.InstancesClient).get(project=self._project, zone=zone, instance=name, **QUIET)
            )

    def history(self, zone: str, filter: str) -> list[Json]:
        """What was done to the machines that this filter names, in one zone."""
        asked = compute.ListZoneOperationsRequest(project=self._project, zone=zone, filter=filter)
        with _errors():
            return [_json(each) for each in self._of(compute.ZoneOperationsClient).list(asked, **QUIET)]

    def insert(self, zone: str, body: Json, request_id: str) -> Json:
        """Ask for a machine, once; the operation that makes it. Whoever gets no answer looks before asking again."""
        asked = compute.InsertInstanceRequest(
            project=self._project,
            zone=zone,
            request_id=request_id,
            instance_resource=compute.Instance.from_json(json.dumps(body)),
        )
        with _errors():
            return _json(self._of(compute.InstancesClient).insert_unary(asked, **ONCE))

    def operation(self, zone: str, name: str) -> Json:
        with _errors():
            found = self._of(compute.ZoneOperationsClient)
            return _json(found.get(project=self._project, zone=zone, operation=name, **QUIET))

    def delete(self, zone: str, name: str) -> Json:
        with _errors():
            found = self._of(compute.InstancesClient)
            return _json(found.delete_unary(project=self._project, zone=zone, instance=name, **QUIET))

    def console(self, zone: str, name: str) -> str:
        """What the machine has written to its first serial line, as far as Google keeps it."""
        with _errors():
            found = self._of(compute.InstancesClient)
            said = found.get_serial_port_output(project=self._project, zone=zone, instance=name, **QUIET)
            return str(said.contents)

    def image(self, family: str) -> str:
        """The name of the newest image of a family, given as `projects/P/global/images/family/F`."""
        _, project, *_, name = family.split("/")
        with _errors():
            found = self._of(compute.ImagesClient).get_from_family(project=project, family=name, **QUIET)
            return str(found.name)

    def quotas(self, region: str) -> dict[str, float]:
        """What the project may have of each metric: its own, and those of a region."""
        with _errors():
            own = self._of(compute.ProjectsClient).get(project=self._project, **QUIET)
            theirs = self._of(compute.RegionsClient).get(project=self._project, region=region, **QUIET)
        return {str(each.metric): float(each.limit) for found in (own, theirs) for each in found.quotas}

    def _everywhere(self, kind: Any, filter: str, what: str) -> list[Json]:  # noqa: ANN401 - a class of the SDK
        with _errors():
            pages = self._of(kind).aggregated_list({"project": self._project, "filter": filter}, **QUIET)
            return [_json(each) for _, scope in pages for each in getattr(scope, what)]

    def _zones(self, kind: Any, type: str, what: str) -> set[str]:  # noqa: ANN401
        with _errors():
            pages = self._of(kind).aggregated_list({"project": self._project, "filter": f'name = "{type}"'}, **QUIET)
            return {place.removeprefix("zones/") for place, scope in pages if getattr(scope, what)}

    @functools.lru_cache  # noqa: B019 - a client of its own lives as long as a command
    def _of(self, kind: Any) -> Any:  # noqa: ANN401
        """The SDK's own client, one for each part of the API."""
        options = {"api_endpoint": _host(self._endpoint)} if self._endpoint else None
        return kind(credentials=_credentials()[0], client_options=options, transport="rest")


@functools.cache
def _credentials() -> tuple[Any, str | None]:
    with _errors():
        found: tuple[Any, str | None] = google.auth.default(scopes=SCOPES)
    return found


def _host(endpoint: str) -> str:
    """The SDK puts the version of the API behind it itself."""
    return endpoint.rstrip("/").removesuffix("/compute/v1")


def _json(message: Any) -> Json:  # noqa: ANN401 - the SDK makes its classes at run time
    found: Json = MessageToDict(type(message).pb(message))
    return found


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Say what Google said, without a word of what was sent."""
    try:
        yield
    except failures.RetryError as error:
        raise UnreachableError(f"Compute Engine cannot answer now: {error.cause or error.message}") from error
    except failures.GoogleAPICallError as error:
        raise _answer(error) from error
    except (auth.DefaultCredentialsError, auth.RefreshError) as error:
        raise AnswerError(f"no credentials for Google Cloud: {error.args[0]}", "credentials") from error
    except (failures.GoogleAPIError, auth.GoogleAuthError, requests.exceptions.RequestException, OSError) as error:
        raise UnreachableError(f"Compute Engine does not answer: {error}") from error


SAYS_NO = facts.NO_ROOM | facts.USED_UP  # answers, whatever their status: want of room may be a 503


def _answer(error: failures.GoogleAPICallError) -> AnswerError | UnreachableError:
    status, reason = int(error.code or 0), _reason(error)
    is_broken = not 400 <= status < 500 or status in {408, 429}  # noqa: PLR2004
    if reason not in SAYS_NO and (is_broken or reason in facts.BUSY):
        return UnreachableError(f"Compute Engine cannot answer now: {status} {reason}".rstrip())
    code = reason if reason in _KNOWN else BY_STATUS.get(status, reason)
    return AnswerError(f"Compute Engine refuses: {status} {reason}: {_said(error)}", code)


_KNOWN = {*facts.KINDS, *facts.NO_ROOM, *facts.USED_UP, *facts.NOT_FOUND, *facts.THERE_ALREADY}


def _reason(error: failures.GoogleAPICallError) -> str:
    """Google's word for it: the newer one, where it is one we know, else the older."""
    older = next((str(each["reason"]) for each in _listed(error) if "reason" in each), "")
    newer = str(error.reason or "")
    return newer if newer in _KNOWN else older or newer


def _said(error: failures.GoogleAPICallError) -> str:
    return next((str(each["message"]) for each in _listed(error) if "message" in each), str(error.message))


def _listed(error: failures.GoogleAPICallError) -> Sequence[Mapping[str, Any]]:
    return [each for each in error.errors if isinstance(each, Mapping)]
