"""Data sets and uploads of the stand-in for Kaggle. The marks are those of `rules`."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.accounts import Account
from tests.kaggle.calling import DATASETS, call, create, dataset, send, uploaded


def test_hidden_then_processed_then_ready(kaggle: Kaggle) -> None:
    # 403 to its own owner right after it was made, then some time of processing [F].
    kaggle.set(dataset_hidden_s=2 * 3600, dataset_processing_s=4 * 3600)
    assert create(kaggle, "my-data", {"a": b"1"}).json["status"] == "ok"
    assert dataset(kaggle, "my-data").code == 403
    kaggle.clock.skip(hours=2)
    assert dataset(kaggle, "my-data").json == {"status": "BLOBS_RECEIVED"}
    kaggle.clock.skip(hours=2)
    assert dataset(kaggle, "my-data").json == {"status": "READY"}


@pytest.mark.parametrize(
    ("slug", "more", "words"),
    [
        ("short", {"title": "long enough"}, "between 6 and 50"),
        ("x" * 51, {"title": "long enough"}, "between 6 and 50"),
        ("long-enough", {"title": "short"}, "between 6 and 50"),
        ("long-enough", {"licenseName": ""}, "exactly one license"),
        ("long-enough", {"files": []}, "At least one file"),
    ],
)
def test_what_a_new_one_is_refused_for(kaggle: Kaggle, slug: str, more: dict[str, object], words: str) -> None:
    # The client checks these itself before it sends [S]; that the service says so with status 200 is belief [B].
    answer = create(kaggle, slug, {"a": b"1"}, **more).json
    assert answer["status"] == "error"
    assert words in answer["error"]


def test_a_slug_is_taken_once(kaggle: Kaggle) -> None:
    # In the words that the client uses itself [S].
    create(kaggle, "my-data", {"a": b"1"})
    assert 'requested slug "my-data" is already in use' in create(kaggle, "my-data", {"a": b"1"}).json["error"]


def test_at_most_fifty_files(kaggle: Kaggle) -> None:
    # At the top level [S].
    token = uploaded(kaggle, "0", b"x")
    tokens = [{"token": token}] + [{"token": uploaded(kaggle, str(n), b"x")} for n in range(1, 51)]
    assert "at most 50" in create(kaggle, "my-data", {}, files=tokens).json["error"]
    assert create(kaggle, "my-data", {}, files=tokens[:50]).json["status"] == "ok"


def test_no_new_version_before_the_last_is_processed(kaggle: Kaggle) -> None:
    # 403 meanwhile [F]. A new version is processed like the first, and replaces its files.
    kaggle.set(dataset_hidden_s=0, dataset_processing_s=3600)
    create(kaggle, "my-data", {"a": b"1"})
    body = {"ownerSlug": "ada", "datasetSlug": "my-data", "body": {"files": [{"token": uploaded(kaggle, "b", b"2")}]}}
    assert call(kaggle, f"{DATASETS}/CreateDatasetVersion", body).code == 403
    kaggle.clock.skip(hours=1)
    assert call(kaggle, f"{DATASETS}/CreateDatasetVersion", body).json["status"] == "ok"
    assert dataset(kaggle, "my-data").json == {"status": "BLOBS_RECEIVED"}
    files = call(kaggle, f"{DATASETS}/ListDatasetFiles", {"ownerSlug": "ada", "datasetSlug": "my-data"}).json
    assert [file["name"] for file in files["datasetFiles"]] == ["b"]


def test_private_missing_and_deleted_are_one_answer(kaggle: Kaggle) -> None:
    # 403 for all of them [F].
    kaggle.set(dataset_hidden_s=0)
    stranger = kaggle.accounts.add(Account(username="bob"))
    create(kaggle, "my-data", {"a": b"1"})
    assert dataset(kaggle, "my-data").code == 200
    gone = {"ownerSlug": "ada", "datasetSlug": "my-data"}
    assert call(kaggle, f"{DATASETS}/DeleteDataset", gone, token=stranger.token).code == 403
    answers = [dataset(kaggle, "my-data", token=stranger.token), dataset(kaggle, "no-such")]
    assert call(kaggle, f"{DATASETS}/ListDatasets", {"user": "ada"}).json["datasets"][0]["ref"] == "ada/my-data"
    assert call(kaggle, f"{DATASETS}/DeleteDataset", gone).code == 200
    answers.append(dataset(kaggle, "my-data"))
    assert {(answer.code, answer.data) for answer in answers} == {(403, answers[0].data)}


def test_an_upload_is_gone_on_with_where_it_broke_off(kaggle: Kaggle) -> None:
    # 308 with the range that is there; a part that does not follow it is not taken; unknown is 404 [S].
    body = {"type": "DATASET", "name": "a", "contentLength": 10}
    begun = call(kaggle, "blobs.BlobApiService/StartBlobUpload", body).json
    path = urlsplit(begun["createUrl"]).path

    def put(data: bytes, content_range: str) -> tuple[int, str | None]:
        answer = send(kaggle, "PUT", path, data, {"Content-Range": content_range})
        return answer.code, answer.headers.get("Range")

    assert put(b"", "bytes */10") == (308, None)
    assert put(b"01234", "bytes 0-4/10") == (308, "bytes=0-4")
    assert put(b"9", "bytes 9-9/10") == (308, "bytes=0-4")
    unfinished = create(kaggle, "my-data", {}, files=[{"token": begun["token"]}])
    assert unfinished.code == 400
    assert put(b"56789", "bytes 5-9/10") == (200, None)
    assert create(kaggle, "my-data", {}, files=[{"token": begun["token"]}]).json["status"] == "ok"
    assert send(kaggle, "PUT", "/upload/none").code == 404
