"""Gradient's interface, version 1 of Paperspace's: what a backend needs of it, and no more.

The forms are those of Paperspace's own command, `pspace`, as far as its source shows them: projects and their secrets,
workflows and their runs. How lists of workflows, runs and secrets are asked for is believed to be as for projects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from facegan.errors import BadInputError
from facegan.experiment import Json
from jobs.backends.gradient import facts
from jobs.backends.rest import AnswerError, Rest
from jobs.loopback import is_loopback_url
from jobs.refusals import Auth

NOT_FOUND = 404


def address(environment: Mapping[str, str]) -> str:
    """Where Paperspace is; its own command's `PAPERSPACE_API_URL` chooses another, as tests do."""
    return (environment.get("PAPERSPACE_API_URL") or facts.API).rstrip("/")


def is_here(environment: Mapping[str, str]) -> bool:
    return is_loopback_url(address(environment))


def key(environment: Mapping[str, str]) -> str:
    """The key of an account.

    Raises:
        Auth: there is none.
    """
    found = environment.get("PAPERSPACE_API_KEY", "").strip()
    if not found:
        raise Auth("there is no key for Paperspace", hint=facts.KEY)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Gradient, as one team sees it. Raises what `Rest` raises."""

    rest: Rest

    def team(self) -> str:
        """Whose key this is.

        Raises:
            Auth: nobody's.
        """
        try:
            said = self.rest.ask("GET", "/auth/session")
        except AnswerError as error:
            raise Auth(f"Paperspace does not take the key: {error.message}", hint=facts.KEY) from error
        if not said:
            raise Auth("Paperspace does not know the key that is set up here", hint=facts.KEY)
        return str(said["team"]["namespace"])

    def projects(self) -> Sequence[Json]:
        return list(self._pages("/projects"))

    def workflows(self, project: str) -> Sequence[Json]:
        """The workflows of a project, each with its `id` and `name`."""
        return [
            each for each in self._pages("/workflows", projectId=project) if each.get("projectId") in {None, project}
        ]

    def make_workflow(self, body: Json) -> str:
        return str(self.rest.ask("POST", "/workflows", body)["id"])

    def runs(self, workflow: str) -> Sequence[Json]:
        """The runs of a workflow, the oldest first."""
        return sorted(self._pages(f"/workflows/{workflow}/runs"), key=lambda each: int(each["id"]))

    def start(self, workflow: str, body: Json) -> Json:
        """Start a run of it, each time another. Sent once, whatever happens."""
        found: Json = self.rest.ask("POST", f"/workflows/{workflow}/runs", body)
        return found

    def run(self, workflow: str, run: int) -> Json | None:
        """One run; `None` when Gradient knows us, and knows no such run.

        Raises:
            Auth: it does not know us.
        """
        try:
            found: Json = self.rest.ask("GET", f"/workflows/{workflow}/runs/{run}")
        except AnswerError as error:
            if error.status != NOT_FOUND:
                raise
            self.team()
            return None
        return found

    def log(self, workflow: str, run: str) -> Iterator[str]:
        """The lines that the run has printed until now."""
        for each in self._pages(f"/workflows/{workflow}/runs/{run}/logs"):
            yield f"{each.get('message', '')}\n"

    def cancel(self, workflow: str, run: int) -> None:
        self.rest.ask("POST", f"/workflows/{workflow}/runs/{run}/cancel", {})

    def secrets(self, project: str) -> Sequence[str]:
        """The names of a project's secrets: nobody is told what is in one."""
        return [str(each["name"]) for each in self._pages(f"/projects/{project}/secrets")]

    def put_secret(self, project: str, name: str, value: str) -> None:
        """Make it, or make it anew."""
        self.delete_secret(project, name)
        self.rest.ask("POST", f"/projects/{project}/secrets", {"name": name, "value": value})

    def delete_secret(self, project: str, name: str) -> None:
        """May be repeated: one that is not there is no error."""
        try:
            self.rest.ask("DELETE", f"/projects/{project}/secrets/{name}")
        except AnswerError as error:
            if error.status != NOT_FOUND:
                raise

    def _pages(self, path: str, **query: str) -> Iterator[Json]:
        after = ""
        while True:
            page = self.rest.ask("GET", path, query={**query, **({"after": after} if after else {})}) or {}
            yield from page.get("items") or []
            following = str(page.get("nextPage") or "")
            if not page.get("hasMore") or following in {"", after}:
                return
            after = following


def project(found: Sequence[Json], named: str | None) -> str:
    """The project that sessions are in: the one that is named, else the only one.

    Raises:
        BadInputError: there is none of that name, or several and none is named.
    """
    handles = [str(each["handle"]) for each in found if each.get("dtDeleted") is None]
    if named is not None:
        if named not in handles:
            has = f"it has {', '.join(handles)}" if handles else "it has none: make one on console.paperspace.com"
            raise BadInputError(f'this Paperspace account has no project "{named}"', hint=has)
        return named
    if len(handles) == 1:
        return handles[0]
    if not handles:
        raise BadInputError("this Paperspace account has no project", hint="make one on console.paperspace.com")
    raise BadInputError(f"this Paperspace account has {len(handles)} projects", hint=f"name one: --host {handles[0]}")
