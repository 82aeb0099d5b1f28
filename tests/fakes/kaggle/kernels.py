"""Kernels: what a push is refused for, what it starts, and what there is to ask of it."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests.fakes.kaggle import accounts, notebooks
from tests.fakes.kaggle.accounts import Account
from tests.fakes.kaggle.answers import ApiError, Json, as_time, denied, page_of, slugified
from tests.fakes.kaggle.clock import Clock
from tests.fakes.kaggle.datasets import Datasets
from tests.fakes.kaggle.rules import CPU, HOUR, RETIRED, T4, TPU, Rules
from tests.fakes.kaggle.sessions import Session, Wish

FIRST_SESSION = 352_990_000
NOT_FOUND = "Notebook not found"
RUNS = {None, "", "KERNEL_EXECUTION_TYPE_UNSPECIFIED", "SAVE_AND_RUN_ALL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One push. `session` is `None` when it was only saved."""

    number: int
    request: Json
    session: Session | None


@dataclass(slots=True, kw_only=True)
class Kernel:
    """One, with its versions. `status` is what a test has it say, whatever is true."""

    number: int
    owner: str
    slug: str
    title: str
    kind: str
    private: bool = True
    versions: list[Version] = field(default_factory=list)
    last_run: datetime
    status: str | None = None

    @property
    def ref(self) -> str:
        return f"{self.owner}/{self.slug}"

    def sessions(self) -> list[Session]:
        return [version.session for version in self.versions if version.session is not None]

    def version(self, label: str | None) -> Version:
        """The newest, or the one labelled `vN`; a bare number is not found [S]."""
        if not label:
            return self.versions[-1]
        number = int(label[1:]) if label.startswith("v") and label[1:].isdigit() else 0
        if not 1 <= number <= len(self.versions):
            raise ApiError(404, "Version not found")
        return self.versions[number - 1]

    def complete(self) -> Session | None:
        """The newest session whose output may be an input of others."""
        done = [one for one in self.sessions() if one.status == "COMPLETE"]
        return done[-1] if done else None


class Kernels:
    """All kernels; the methods of the service are its methods."""

    def __init__(self, folder: Path, datasets: Datasets, clock: Clock) -> None:
        self._folder, self._datasets, self._clock = folder, datasets, clock
        self._kernels: list[Kernel] = []
        self._ended: list[Session] = []  # of deleted kernels
        self._spoilt: set[str] = set()
        self._signed: dict[str, tuple[Kernel, Path]] = {}
        self._sessions = 0
        self._made = 0
        self._lock = threading.RLock()

    def all(self) -> list[Kernel]:
        with self._lock:  # or a new one had no version yet
            return list(self._kernels)

    def sessions(self) -> list[Session]:
        """Every session there ever was, in the order of their starts."""
        alive = [session for kernel in self._kernels for session in kernel.sessions()]
        return sorted([*self._ended, *alive], key=lambda session: session.number)

    def save(self, account: Account, body: Json, rules: Rules) -> Json:
        """SaveKernel: an HTTP error, a refusal with status 200, or a new version and its session."""
        self._check_form(body, rules)
        with self._lock:
            found = self._found(account, body)
            slug = str(body.get("slug", "")).partition("/")[2]
            refusal = self._refusal(account, found, body, slug, rules)
            if refusal:
                return _refused(refusal)
            kernel = found or self._new(account, body, slug)
            self._retitle(kernel, body)
            return self._add_version(account, kernel, body, rules)

    def status(self, account: Account, body: Json) -> Json:
        kernel = self._readable(account, body.get("userName"), body.get("kernelSlug"))
        session = kernel.version(body.get("versionLabel")).session
        status = kernel.status or ("NEW_SCRIPT" if session is None else session.status)
        failure = session.failure if session is not None and session.over else ""
        return {"status": status, **({"failureMessage": failure} if failure else {})}

    def output(self, account: Account, body: Json, rules: Rules, base: str) -> Json:
        """ListKernelSessionOutput: files and log of an ended session; of a running one, nothing [F]."""
        kernel = self._readable(account, body.get("userName"), body.get("kernelSlug"))
        session = kernel.version(body.get("versionLabel")).session
        if session is None:
            return {"files": [], "log": "", "nextPageToken": ""}
        page, token = page_of(session.outputs(), body, most=rules.page_files)
        files = [{"url": self._sign(kernel, session.outputs_folder / name, base), "fileName": name} for name in page]
        return {"files": files, "log": session.kept_log(), "nextPageToken": token}

    def signed(self, name: str) -> Path:
        """The file of a signed URL, for whoever has it. Raises `ApiError` 404 when it was deleted."""
        kernel, path = self._signed.get(name, (None, None))
        if kernel not in self._kernels or path is None or not path.is_file():
            raise ApiError(404, "No such object")
        return path

    def stream(self, account: Account, owner: str, slug: str, label: str | None) -> Session:
        session = self._readable(account, owner, slug).version(label).session
        if session is None:
            raise ApiError(404, "No session")
        return session

    def get(self, account: Account, body: Json) -> Json:
        kernel = self._readable(account, body.get("userName"), body.get("kernelSlug"))
        request = kernel.version(body.get("versionLabel")).request
        blob = {
            "source": request["text"],
            "language": request["language"],
            "kernelType": kernel.kind,
            "slug": kernel.slug,
        }
        return {"metadata": _described(kernel), "blob": blob}

    def listed(self, account: Account, body: Json) -> Json:
        user = account.username if body.get("group") == "PROFILE" else body.get("user")
        sought = str(body.get("search", "")).lower()
        seen = [
            kernel
            for kernel in self.all()
            if not (kernel.private and kernel.owner != account.username)
            and user in {None, "", kernel.owner}
            and sought in f"{kernel.slug} {kernel.title}".lower()
        ]
        seen.sort(key=lambda kernel: kernel.last_run, reverse=True)
        page, token = page_of(seen, body, most=100)
        return {"kernels": [_described(kernel) for kernel in page], "nextPageToken": token}

    def delete(self, account: Account, body: Json) -> Json:
        """DeleteKernel: its sessions are stopped, and their output is gone [F]."""
        with self._lock:
            kernel = self._readable(account, body.get("userName"), body.get("kernelSlug"))
            if kernel.owner != account.username:
                raise denied("kernels.delete")
            self._kernels.remove(kernel)
            self._ended += kernel.sessions()
        for session in kernel.sessions():
            session.destroy()
        return {"errorMessage": ""}

    def cancel(self, account: Account, body: Json, rules: Rules) -> Json:
        """CancelKernelSession, by the id out of the container's name; only for who started it [R]."""
        number = int(body.get("kernelSessionId", 0))
        found = next((one for one in self.sessions() if one.number == number), None)
        if found is None or found.account is not account or not rules.cancel_works:
            raise denied("kernelSessions.cancel")
        if found.over:
            return {"errorMessage": "The session is not running"}
        found.cancel()
        return {"errorMessage": ""}

    def quota(self, account: Account) -> Json:
        return accounts.quota(account, self._running(account), self._clock)

    def end_all(self) -> None:
        with self._lock:  # what is being saved has begun
            sessions = self.sessions()
        for session in sessions:
            session.doom()
        for session in sessions:
            session.destroy()

    def _check_form(self, body: Json, rules: Rules) -> None:
        if len(str(body.get("text", "")).encode()) > rules.source_bytes:
            raise ApiError(400, "", empty=True)  # [F] the client showed the status only, so there was no message
        if body.get("language") not in {"python", "r", "rmarkdown"} or body.get("kernelType") not in {
            "script",
            "notebook",
        }:
            raise ApiError(400, "Invalid language or kernel type")
        if not 0 <= int(body.get("sessionTimeoutSeconds") or 0) < rules.session_s:
            raise ApiError(400, "sessionTimeoutSeconds must be lower than the maximum")
        if body.get("dockerImage") and body["dockerImage"] not in rules.images:
            raise ApiError(403, "", empty=True)
        title = body.get("newTitle")
        if title is not None and len(str(title)) < rules.title_chars:
            raise ApiError(400, f"Title must be at least {rules.title_chars} characters")

    def _found(self, account: Account, body: Json) -> Kernel | None:
        if body.get("id"):
            found = next((kernel for kernel in self._kernels if kernel.number == body["id"]), None)
            if found is None or found.owner != account.username:
                raise denied("kernels.update")
            return found
        return self._known(*str(body.get("slug", "")).partition("/")[::2])

    def _known(self, owner: object, slug: object) -> Kernel | None:
        return next((kernel for kernel in self.all() if (kernel.owner, kernel.slug) == (owner, slug)), None)

    def _readable(self, account: Account, owner: object, slug: object) -> Kernel:
        found = self._known(owner, slug)
        if found is None or (found.private and found.owner != account.username):
            raise denied("kernels.get")
        return found

    def _refusal(self, account: Account, found: Kernel | None, body: Json, slug: str, rules: Rules) -> str:
        """What the service says with status 200, having done nothing [F]."""
        owner = str(body.get("slug", "")).partition("/")[0]
        if found is None and (owner != account.username or not slug or slug in self._spoilt):
            return NOT_FOUND
        if body.get("kernelExecutionType") not in RUNS:
            return ""
        refusal = self._no_room(account, body, rules)
        if refusal and rules.refusal_spoils_slug and found is None:
            self._spoilt.add(slug)
        return refusal

    def _no_room(self, account: Account, body: Json, rules: Rules) -> str:
        shape = granted(body, account)
        if _asked(body) != CPU and not account.phone_verified and rules.unverified_error:
            return rules.unverified_error
        busy = [one for one in self.sessions() if one.account is account and not one.over]
        if shape == CPU:
            full = sum(1 for one in busy if not one.wish.shape) >= rules.cpu_sessions
            return f"Maximum batch CPU session count of {rules.cpu_sessions} reached." if full else ""
        if shape == TPU:
            return ""
        first, last = self._clock.week()
        week = (self._clock.seconds(first), self._clock.seconds(last))
        if accounts.used_s(account.spent + self._running(account), week) >= account.gpu_hours * HOUR:
            return f"Maximum weekly GPU quota of {account.gpu_hours:.2f} hours reached."
        if sum(1 for one in busy if one.gpu) >= rules.gpu_sessions:
            return f"Maximum batch GPU session count of {rules.gpu_sessions} reached."
        return ""

    def _running(self, account: Account) -> list[tuple[float, float]]:
        mine = [one for one in self.sessions() if one.account is account and one.gpu and one.ran is None]
        return [span for span in (one.charged() for one in mine) if span is not None]

    def _new(self, account: Account, body: Json, slug: str) -> Kernel:
        """A new kernel is called after its title, whatever slug was asked for [S]."""
        title = str(body.get("newTitle") or slug)
        named = slugified(title)
        if self._known(account.username, named) is not None:
            raise ApiError(409, f'A notebook "{named}" exists already')
        self._made += 1
        kernel = Kernel(
            number=90_000_000 + self._made, owner=account.username, slug=named, title=title,
            kind=str(body["kernelType"]), last_run=self._clock.moment(),
        )  # fmt: skip
        self._kernels.append(kernel)
        return kernel

    def _retitle(self, kernel: Kernel, body: Json) -> None:
        title = body.get("newTitle")
        if not title or slugified(str(title)) == kernel.slug:
            return
        if self._known(kernel.owner, slugified(str(title))) is not None:
            raise ApiError(409, f'A notebook "{slugified(str(title))}" exists already')
        kernel.title, kernel.slug = str(title), slugified(str(title))

    def _add_version(self, account: Account, kernel: Kernel, body: Json, rules: Rules) -> Json:
        number = len(kernel.versions) + 1
        inputs, wrong_datasets, wrong_kernels = self._inputs(account, body, rules)
        session = None
        if body.get("kernelExecutionType") in RUNS:
            session = self._session(account, kernel, body, inputs, rules)
        kernel.versions.append(Version(number=number, request=body, session=session))
        kernel.private = bool(body.get("isPrivate", True))
        kernel.last_run = self._clock.moment()
        if session is not None:
            session.start()
        return {
            **_refused(""), "ref": f"/code/{kernel.ref}", "url": f"https://www.kaggle.com/code/{kernel.ref}",
            "versionNumber": number, "hasVersionNumber": True, "kernelId": kernel.number,
            "invalidDatasetSources": wrong_datasets, "invalidKernelSources": wrong_kernels,
        }  # fmt: skip

    def _session(self, account: Account, kernel: Kernel, body: Json, inputs: dict[str, Path], rules: Rules) -> Session:
        self._sessions += 1
        shape = granted(body, account)
        cap = rules.tpu_session_s if shape == TPU else rules.session_s
        text = str(body.get("text", ""))
        wish = Wish(
            source=notebooks.as_script(text) if kernel.kind == "notebook" else text,
            shape=shape,
            internet=bool(body.get("enableInternet")) and account.phone_verified,
            limit_s=min(cap, int(body.get("sessionTimeoutSeconds") or cap)),
            inputs=inputs,
            folder=self._folder / str(FIRST_SESSION + self._sessions),
        )
        return Session(FIRST_SESSION + self._sessions, account, wish, rules, self._clock)

    def _inputs(self, account: Account, body: Json, rules: Rules) -> tuple[dict[str, Path], list[str], list[str]]:
        """What is mounted where, and which sources were not to be had: those are named and left out [S]."""
        inputs: dict[str, Path] = {}
        wrong: tuple[list[str], list[str]] = ([], [])
        for ref in body.get("datasetDataSources", []):
            dataset = self._datasets.mountable(account, ref)
            if dataset is None:
                wrong[0].append(ref)
            elif ref not in rules.unmounted:
                inputs[_mount("datasets", ref, rules)] = dataset.files
        for ref in body.get("kernelDataSources", []):
            kernel = self._known(*ref.partition("/")[::2])
            session = (
                kernel.complete() if kernel and not (kernel.private and kernel.owner != account.username) else None
            )
            if session is None:
                wrong[1].append(ref)
            else:
                session.outputs_folder.mkdir(exist_ok=True)
                inputs[_mount("notebooks", ref, rules)] = session.outputs_folder
        return inputs, *wrong

    def _sign(self, kernel: Kernel, path: Path, base: str) -> str:
        name = secrets.token_urlsafe(24)
        self._signed[name] = (kernel, path)
        return f"{base}/signed/{name}/{path.name}"


def granted(body: Json, account: Account) -> str:
    """The accelerator a session gets: whatever was asked for and is not to be had becomes a T4, without a word [S]."""
    asked = _asked(body)
    if not account.phone_verified or asked == CPU:
        return CPU
    plain = asked.replace("-", "").replace("_", "").lower()
    return TPU if plain == TPU.lower() else RETIRED.get(plain, T4)


def _asked(body: Json) -> str:
    shape = str(body.get("machineShape") or "").strip()
    if shape:
        return shape
    return T4 if body.get("enableGpu") else TPU if body.get("enableTpu") else CPU


def _mount(kind: str, ref: str, rules: Rules) -> str:
    return f"/kaggle/input/{ref.split('/')[1]}" if rules.layout == "old" else f"/kaggle/input/{kind}/{ref}"


def _refused(error: str) -> Json:
    """The answer to a push with every field there is, as one was captured [F]."""
    return {
        "errorNullable": error, "error": error, "hasError": bool(error), "ref": "", "url": "", "versionNumber": 0,
        "hasVersionNumber": False, "kernelId": 0, "invalidTags": [], "invalidDatasetSources": [],
        "invalidCompetitionSources": [], "invalidKernelSources": [], "invalidModelSources": [],
    }  # fmt: skip


def _described(kernel: Kernel) -> Json:
    request, session = kernel.versions[-1].request, kernel.versions[-1].session
    kept: Json = {
        name: request[name] for name in ("datasetDataSources", "kernelDataSources", "enableInternet") if name in request
    }
    return {
        "id": kernel.number,
        "ref": kernel.ref,
        "title": kernel.title,
        "author": kernel.owner,
        "slug": kernel.slug,
        "lastRunTime": as_time(kernel.last_run),
        "language": request["language"],
        "kernelType": kernel.kind,
        "isPrivate": kernel.private,
        "enableGpu": bool(session and session.gpu),
        "machineShape": session.wish.shape if session else "",
        "currentVersionNumber": len(kernel.versions),
        **kept,
    }
