"""MLflow's own UI in a real browser, and its server over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from facegan.storage.memory import MemoryStore
from facegan.tracking.server import Server
from tests.browser import PATIENCE_MS, blank_page
from tests.cloud.servers import free_port
from tests.tracking.world import RUN, Mlflow, Run

MARK = "FACEGAN_TEST_UI"
NO_JOBS = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ui:
    url: str
    mlflow: Mlflow
    run: Run


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Ui]:
    """The server on a database that holds one finished run; afterwards none of its processes is left."""
    folder = tmp_path_factory.mktemp("ui")
    mlflow = Mlflow(uri=f"sqlite:///{folder}/mlflow.db")
    run = Run(store=MemoryStore()).begin()
    run.session()
    mlflow.sync(run)
    port, mark = free_port(), uuid.uuid4().hex
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", mlflow.uri, "--workers", "1",
             "--artifacts-destination", (folder / "served").as_uri(), "--host", "127.0.0.1", "--port", str(port)],
            env={**environment, "MLFLOW_DISABLE_TELEMETRY": "true", NO_JOBS: "false", MARK: mark}, cwd=folder,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server)
        yield Ui(url=f"http://127.0.0.1:{port}", mlflow=mlflow, run=run)
    finally:
        left = end(server, mark)
    assert not left


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        assert server.poll() is None, "mlflow ui ended"
        try:
            with urllib.request.urlopen(url, timeout=30):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("mlflow ui did not answer")


def end(server: subprocess.Popen[bytes], mark: str) -> list[int]:
    """End the server and all it started, as one group; who is left all the same, and is then ended too."""
    for number, patience_s in ((signal.SIGTERM, 30.0), (signal.SIGKILL, 60.0)):
        try:
            os.killpg(server.pid, number)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + patience_s
        while (server.poll() is None or marked(mark)) and time.monotonic() < deadline:
            time.sleep(0.1)
    left = marked(mark)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return left


def marked(mark: str) -> list[int]:
    """Living processes that inherited the server's environment, whatever group they are in."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.fixture
def page() -> Iterator[Any]:
    with blank_page(1500, 1400) as page:
        yield page


def test_a_person_sees_the_run_a_curve_and_a_picture(ui: Ui, page: Any) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    run = ui.mlflow.the_run()
    runs = f"{ui.url}/#/experiments/{run.info.experiment_id}/runs"
    page.goto(f"{runs}?workflowType=machine_learning")
    expect(page.get_by_role("link", name=RUN).first).to_be_visible()

    page.goto(f"{runs}/{run.info.run_id}/model-metrics")
    cards = page.get_by_test_id("experiment-view-compare-runs-card")
    curve = cards.filter(has=page.get_by_title("loss", exact=True))
    expect(curve.get_by_text(f"{RUN} (loss)")).to_be_visible()
    line = curve.locator("path.js-line").first
    expect(line).to_be_visible()
    assert line.get_attribute("d").count("L") > 10  # of twenty points; the UI leaves out those on a line

    grid = cards.filter(has=page.get_by_title("samples/grid", exact=True))
    grid.get_by_role("slider").press("ArrowRight")  # MLflow's slider starts at step 0, where there is no picture
    expect(grid.get_by_role("slider")).to_have_attribute("aria-valuenow", "5")
    grid.locator("[data-component-id=fullscreen_button_chartcard]").click()
    picture = page.get_by_role("dialog").locator("img").first
    picture.scroll_into_view_if_needed()
    expect(picture).to_be_visible()
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=picture.element_handle())


def test_over_http(ui: Ui) -> None:
    """The same as on the embedded database, with the artifacts through the server, and a password in the address."""
    run = Run(store=MemoryStore(), run="over-http").begin(
        "training.steps=600", "checkpoint.every_steps=400", "samples.every_steps=400", name="cogan-mnist"
    )
    following = ui.mlflow.copy(run, server=Server.open(ui.url.replace("://", "://me:secret@")))
    run.session(dies_after=500)
    following.update()
    run.session()
    progress = following.update()
    client = Server.open(ui.url).client
    there = client.get_run(progress.mlflow_run)
    points = {
        (metric, point.step): (point.value, point.timestamp)
        for metric in there.data.metrics
        for point in client.get_metric_history(progress.mlflow_run, metric)
    }
    assert points == run.committed()
    assert progress.points == len(points)
    assert len(client.list_artifacts(progress.mlflow_run, "images")) == 2 * len(run.pictures())
    assert there.info.status == "FINISHED"
    assert "secret" not in str(there.to_dictionary()) + str(run.ledger().refresh())
    again = ui.mlflow.copy(run, server=Server.open(ui.url)).update()
    assert (again.new_points, again.new_images) == (0, 0)
