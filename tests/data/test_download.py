"""A published file arrives whole and checked, or an error says what to type; against a real server on loopback."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from facegan.data import download
from facegan.errors import BadInputError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
FILE = "digits.npz"


@dataclass
class Office:
    """Where the file is published, and how badly."""

    content: bytes = CONTENT
    status: int = 200
    resumes: bool = True
    cuts: list[int] = field(default_factory=list)  # how many bytes each connection sends before it drops
    hangs: bool = False
    asked: list[str | None] = field(default_factory=list)  # the Range of each request


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the office's one file with ranges, and with the faults it is told to have."""

    office: Office
    let_go: threading.Event

    def do_GET(self) -> None:
        office = self.office
        wanted = self.headers.get("Range")
        office.asked.append(wanted)
        start = int(wanted[len("bytes=") : -1]) if wanted and office.resumes else 0
        if office.status != 200:
            self.send_error(office.status)
        elif start and start >= len(office.content):
            self.send_error(416)
        else:
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(office.content) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(office.content) - 1}/{len(office.content)}")
            self.end_headers()
            self._send(office.content[start:])

    def _send(self, content: bytes) -> None:
        sent = self.office.cuts.pop(0) if self.office.cuts else len(content)
        self.wfile.write(content[:sent])
        if sent < len(content):
            if self.office.hangs:
                self.let_go.wait(10)
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    made, let_go = Office(), threading.Event()
    handler = type("OfficeHandler", (Handler,), {"office": made, "let_go": let_go})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        publish(f"http://127.0.0.1:{server.server_port}/{FILE}", monkeypatch)
        yield made
        let_go.set()
        server.shutdown()


def publish(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    published = download.Published(url=url, sha256=hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(download, "PUBLISHED", MappingProxyType({"digits": published}))


def fetch(into: Path, say: Callable[[str], None] = lambda _: None) -> Path:
    return download.fetch("digits", into, say)


def held(into: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in into.iterdir()}


def test_a_file_is_fetched_checked_and_told_of(office: Office, tmp_path: Path) -> None:
    said: list[str] = []
    path = fetch(tmp_path / "new", said.append)
    assert path == tmp_path / "new" / FILE
    assert path.read_bytes() == CONTENT
    assert held(tmp_path / "new") == {FILE: len(CONTENT)}
    assert office.asked == [None]
    assert said[0] == f"{FILE}: 0.0 of 3.0 MB"
    assert said[-1] == f"{FILE}: 3.0 of 3.0 MB"
    assert len(said) <= 12


def test_what_is_there_and_whole_is_not_fetched_again(office: Office, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(CONTENT)
    assert fetch(tmp_path) == tmp_path / FILE
    assert office.asked == []


def test_what_is_there_and_damaged_is_fetched_anew(office: Office, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(CONTENT[:-1] + b"?")
    assert fetch(tmp_path).read_bytes() == CONTENT
    assert office.asked == [None]


def test_a_download_that_breaks_off_goes_on_by_itself(office: Office, tmp_path: Path) -> None:
    office.cuts = [1_000_000, 500_000]
    said: list[str] = []
    assert fetch(tmp_path, said.append).read_bytes() == CONTENT
    assert office.asked == [None, "bytes=1000000-", "bytes=1500000-"]
    assert f"{FILE}: the connection broke off at 1,500,000 bytes; going on from there" in said


def test_a_download_that_gets_nowhere_is_given_up_and_resumed_by_the_next_call(office: Office, tmp_path: Path) -> None:
    office.cuts = [1_000_000, 0]
    with pytest.raises(BadInputError, match=r"broke off after 1,000,000 of 3,000,000 bytes") as caught:
        fetch(tmp_path)
    assert "facegan-job data prepare digits --source PATH" in str(caught.value.hint)
    assert held(tmp_path) == {f".{FILE}.part": 1_000_000}
    assert fetch(tmp_path).read_bytes() == CONTENT
    assert office.asked[-1] == "bytes=1000000-"
    assert held(tmp_path) == {FILE: len(CONTENT)}


def test_where_the_server_cannot_resume_it_starts_anew(office: Office, tmp_path: Path) -> None:
    office.resumes = False
    office.cuts = [1_000_000]
    assert fetch(tmp_path).read_bytes() == CONTENT
    assert office.asked == [None, "bytes=1000000-"]


def test_a_process_that_died_before_the_rename_fetches_nothing_again(office: Office, tmp_path: Path) -> None:
    (tmp_path / f".{FILE}.part").write_bytes(CONTENT)
    assert fetch(tmp_path).read_bytes() == CONTENT
    assert office.asked == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("partial", [None, 1_000_000, len(CONTENT) + 5])
def test_another_file_is_refused_and_not_kept(office: Office, tmp_path: Path, partial: int | None) -> None:
    office.content = CONTENT[:-1] + b"?"
    if partial is not None:
        (tmp_path / f".{FILE}.part").write_bytes(b"?" * partial)
    with pytest.raises(BadInputError, match="what came is not the published file") as caught:
        fetch(tmp_path)
    assert "facegan-job data prepare digits --source PATH" in str(caught.value.hint)
    assert held(tmp_path) == {}
    office.content = CONTENT
    assert fetch(tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(("status", "says"), [(404, "404: Not Found"), (503, "503: Service Unavailable")])
def test_a_refusal_is_told_and_what_has_come_is_kept(office: Office, tmp_path: Path, status: int, says: str) -> None:
    (tmp_path / f".{FILE}.part").write_bytes(CONTENT[:10])
    office.status = status
    with pytest.raises(BadInputError, match=says):
        fetch(tmp_path)
    assert held(tmp_path) == {f".{FILE}.part": 10}


def test_a_server_that_falls_silent_is_left(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT_S", 1.0)
    office.hangs = True
    office.cuts = [100_000, 0]
    with pytest.raises(BadInputError, match="timed out"):
        fetch(tmp_path)
    assert held(tmp_path) == {f".{FILE}.part": 100_000}


def test_a_server_that_never_answers_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        publish(f"http://127.0.0.1:{silent.getsockname()[1]}/{FILE}", monkeypatch)
        with pytest.raises(BadInputError, match="timed out"):
            fetch(tmp_path)


def test_something_that_is_no_web_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as odd:
        publish(f"http://127.0.0.1:{odd.getsockname()[1]}/{FILE}", monkeypatch)

        def answer() -> None:
            connection, _ = odd.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 welcome to some other protocol\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(BadInputError, match=f"{FILE}.*cannot be downloaded: 220 welcome"):
            fetch(tmp_path)


@pytest.mark.parametrize(
    ("url", "says"), [(f"http://127.0.0.1:9/{FILE}", "refused"), (f"http://nowhere.invalid/{FILE}", "[Nn]ame|resol")]
)
def test_without_a_network_it_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, says: str
) -> None:
    publish(url, monkeypatch)
    with pytest.raises(BadInputError, match=says) as caught:
        fetch(tmp_path)
    assert f'"{url}" cannot be downloaded' in caught.value.message
    assert f"fetch {FILE} by other means" in str(caught.value.hint)
    assert "facegan-job data prepare digits --source PATH" in str(caught.value.hint)
    assert held(tmp_path) == {}


def test_a_folder_that_cannot_be_written(office: Office, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(BadInputError, match="taken"):
        fetch(tmp_path / "taken")
    assert office.asked == []


@pytest.mark.parametrize(
    ("name", "what", "where"),
    [
        ("celeba", "img_align_celeba.zip", "mmlab.ie.cuhk.edu.hk"),
        ("imdb-wiki", "wiki_crop.tar", "data.vision.ee.ethz.ch"),
    ],
)
def test_what_has_to_be_fetched_by_hand(tmp_path: Path, name: str, what: str, where: str) -> None:
    with pytest.raises(BadInputError, match="by hand") as caught:
        download.fetch(name, tmp_path, print, ["--size 64"])
    assert what in caught.value.message
    assert where in caught.value.message
    assert f"facegan-job data prepare {name} --source PATH --size 64, where" in str(caught.value.hint)


def test_a_set_of_ones_own_is_published_nowhere(tmp_path: Path) -> None:
    known = "known: cifar10, mnist; by hand: celeba, imdb-wiki"
    with pytest.raises(BadInputError, match=f'nothing is known of where "my-faces" is published; {known}$'):
        download.fetch("my-faces", tmp_path, print)


def test_the_official_addresses() -> None:
    assert {name: published.file for name, published in download.PUBLISHED.items()} == {
        "mnist": "mnist.npz",
        "cifar10": "cifar-10-python.tar.gz",
    }
    assert all(published.url.startswith("https://") for published in download.PUBLISHED.values())
    assert all(len(bytes.fromhex(published.sha256)) == 32 for published in download.PUBLISHED.values())
