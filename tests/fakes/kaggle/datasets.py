"""Data sets: created from uploads, hidden at first, processed for a while, and then to be mounted."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.kaggle.accounts import Account
from tests.fakes.kaggle.answers import ApiError, Json, denied, page_of, slugified
from tests.fakes.kaggle.blobs import Blob, Blobs
from tests.fakes.kaggle.clock import Clock
from tests.fakes.kaggle.rules import Rules

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


@dataclass(slots=True, kw_only=True)
class Dataset:
    """One, and when its versions came. `processing_s` is what it was created under."""

    owner: str
    slug: str
    title: str
    private: bool
    licence: str
    folder: Path
    versions: list[float] = field(default_factory=list)
    processing_s: float
    hidden_s: float
    failed: bool = False

    @property
    def ref(self) -> str:
        return f"{self.owner}/{self.slug}"

    @property
    def files(self) -> Path:
        """The folder of the newest version's files."""
        return self.folder / f"v{len(self.versions)}"

    def hidden(self, now: float) -> bool:
        return len(self.versions) == 1 and now < self.versions[0] + self.hidden_s

    def ready(self, now: float) -> bool:
        return not self.failed and now >= self.versions[-1] + self.processing_s

    def status(self, now: float) -> str:
        if self.failed:
            return "FAILED"
        return "READY" if self.ready(now) else "BLOBS_RECEIVED"


class Datasets:
    """All data sets; the methods of the service are its methods."""

    def __init__(self, folder: Path, blobs: Blobs, clock: Clock) -> None:
        self._folder, self._blobs, self._clock = folder, blobs, clock
        self._by_ref: dict[str, Dataset] = {}

    def readable(self, account: Account, ref: str) -> Dataset:
        """Raises `ApiError` 403 for one that is missing, another's, or too new [F]."""
        found = self._by_ref.get(ref)
        if found is None or found.hidden(self._clock.now()) or (found.private and found.owner != account.username):
            raise denied("datasets.get")
        return found

    def mountable(self, account: Account, ref: str) -> Dataset | None:
        try:
            found = self.readable(account, ref)
        except ApiError:
            return None
        return found if found.ready(self._clock.now()) else None

    def publish(self, ref: str, files: Path) -> Dataset:
        """One of somebody else's, public and ready: for tests. The files are copied."""
        owner, slug = ref.split("/")
        found = self._add(
            Dataset(
                owner=owner,
                slug=slug,
                title=slug,
                private=False,
                licence="other",
                folder=self._folder / owner / slug,
                processing_s=0,
                hidden_s=0,
            )
        )
        shutil.copytree(files, found.files)
        return found

    def withdraw(self, ref: str) -> None:
        """Its owner, or Kaggle, has removed it."""
        shutil.rmtree(self._by_ref.pop(ref).folder)

    def create(self, account: Account, body: Json, rules: Rules) -> Json:
        """CreateDataset: what is wrong with it is said with status 200, as the client shows it [S]."""
        title, slug, owner = str(body.get("title", "")), str(body.get("slug", "")), body.get("ownerSlug")
        if owner not in {None, "", account.username}:
            raise denied("datasets.create")
        wrong = self._wrong(account, body, rules, title=title, slug=slug)
        if wrong:
            return _refused(wrong)
        blobs = self._taken(account, body, rules)
        if isinstance(blobs, str):
            return _refused(blobs)
        new = Dataset(
            owner=account.username, slug=slug, title=title, private=bool(body.get("isPrivate")),
            licence=str(body["licenseName"]), folder=self._folder / account.username / slug,
            processing_s=rules.dataset_processing_s, hidden_s=rules.dataset_hidden_s,
        )  # fmt: skip
        return self._received(self._add(new), blobs)

    def create_version(self, account: Account, body: Json, rules: Rules) -> Json:
        """CreateDatasetVersion: 403 until the version before it is processed [F]."""
        found = self._by_ref.get(f"{body.get('ownerSlug')}/{body.get('datasetSlug')}")
        if found is None or found.owner != account.username or not found.ready(self._clock.now()):
            raise denied("datasets.update")
        blobs = self._taken(account, body.get("body") or {}, rules)
        if isinstance(blobs, str):
            return _refused(blobs)
        found.versions.append(self._clock.now())
        return self._received(found, blobs)

    def status(self, account: Account, body: Json) -> Json:
        found = self.readable(account, _ref(body))
        return {"status": found.status(self._clock.now())}

    def get(self, account: Account, body: Json) -> Json:
        return _described(self.readable(account, _ref(body)))

    def listed(self, account: Account, body: Json) -> Json:
        mine = str(body.get("group", "")).upper().endswith(("MY", "USER")) or body.get("user") == account.username
        sought = str(body.get("search", ""))
        seen = [
            one
            for one in self._by_ref.values()
            if (one.owner == account.username if mine else not one.private) and sought in f"{one.ref} {one.title}"
        ]
        page, token = page_of(seen, body, most=100)
        return {"datasets": [_described(one) for one in page], "nextPageToken": token}

    def list_files(self, account: Account, body: Json) -> Json:
        found = self.readable(account, _ref(body))
        files = [path for path in sorted(found.files.rglob("*")) if path.is_file()]
        page, token = page_of(files, body, most=200)
        names = [{"name": str(path.relative_to(found.files)), "totalBytes": path.stat().st_size} for path in page]
        return {"datasetFiles": names, "nextPageToken": token}

    def delete(self, account: Account, body: Json) -> Json:
        found = self._by_ref.get(_ref(body))
        if found is None or found.owner != account.username:
            raise denied("datasets.delete")
        del self._by_ref[found.ref]
        shutil.rmtree(found.folder)
        return {"error": ""}

    def _wrong(self, account: Account, body: Json, rules: Rules, *, title: str, slug: str) -> str:
        """The first of what is wrong, or nothing."""
        least, most = rules.dataset_name_chars
        mine = [one for one in self._by_ref.values() if one.owner == account.username]
        taken = "The requested {} is already in use by a dataset. Please choose another {}."
        wrong = {
            f"The dataset slug must be between {least} and {most} characters": not least <= len(slug) <= most,
            f"The dataset title must be between {least} and {most} characters": not least <= len(title) <= most,
            "The dataset slug may only hold lower-case letters, digits and dashes": slug != slugified(slug),
            "Please specify exactly one license": not body.get("licenseName"),
            taken.format(f'slug "{slug}"', "slug"): any(one.slug == slug for one in mine),
            taken.format(f'title "{title}"', "title"): any(one.title == title for one in mine),
        }
        return next((words for words, so in wrong.items() if so), "")

    def _taken(self, account: Account, body: Json, rules: Rules) -> list[Blob] | str:
        blobs = [self._blobs.taken(account.username, str(file.get("token"))) for file in body.get("files", [])]
        if not blobs:
            return "At least one file is required"
        if len(blobs) > rules.dataset_files:
            return f"A dataset may hold at most {rules.dataset_files} files at its top level"
        if len({blob.name for blob in blobs}) != len(blobs):
            return "File names must be unique"
        return blobs

    def _add(self, new: Dataset) -> Dataset:
        new.versions.append(self._clock.now())
        self._by_ref[new.ref] = new
        return new

    def _received(self, found: Dataset, blobs: list[Blob]) -> Json:
        found.files.mkdir(parents=True)
        for blob in blobs:
            _place(blob, found.files)
        return {"ref": f"/{found.ref}", "url": f"https://www.kaggle.com/datasets/{found.ref}", "status": "ok",
                "error": "", "invalidTags": []}  # fmt: skip


def _place(blob: Blob, folder: Path) -> None:
    """An archive is unpacked into a folder of its name: that is how the client sends folders [S]."""
    kind = next((kind for kind in ARCHIVES if blob.name.endswith(kind)), None)
    if kind is None:
        shutil.copyfile(blob.path, folder / blob.name)
        return
    packed = blob.path.with_name(f"{blob.path.name}{kind}")
    shutil.copyfile(blob.path, packed)
    try:
        shutil.unpack_archive(packed, folder / blob.name.removesuffix(kind))
    except (shutil.ReadError, OSError):
        shutil.copyfile(blob.path, folder / blob.name)
    packed.unlink()


def _ref(body: Json) -> str:
    return f"{body.get('ownerSlug')}/{body.get('datasetSlug')}"


def _refused(error: str) -> Json:
    return {"ref": "", "url": "", "status": "error", "error": error, "invalidTags": []}


def _described(found: Dataset) -> Json:
    return {
        "ref": found.ref,
        "title": found.title,
        "ownerRef": found.owner,
        "isPrivate": found.private,
        "licenseName": found.licence,
        "url": f"https://www.kaggle.com/datasets/{found.ref}",
        "currentVersionNumber": len(found.versions),
    }
