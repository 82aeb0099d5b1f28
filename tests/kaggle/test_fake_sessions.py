"""How a session of the stand-in for Kaggle runs, and how it ends. The marks are those of `rules`."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.kaggle import Kaggle, running
from tests.fakes.kaggle.accounts import Account
from tests.fakes.kaggle.answers import Json
from tests.kaggle.calling import (
    KERNELS,
    SLEEP,
    bearer,
    call,
    named,
    output,
    printed,
    push,
    quota_s,
    send,
    status,
)
from tests.waiting import until

GPU = {"machineShape": "NvidiaTeslaT4"}


def test_a_script_runs_where_kaggle_runs_it(kaggle: Kaggle) -> None:
    # Its name and folder, the arguments of something else, and the variables, as they were seen [F, R].
    text = """
import os, sys
print(__file__, os.getcwd(), len(sys.argv) > 1)
print(os.environ["KAGGLE_KERNEL_RUN_TYPE"], os.environ["KAGGLE_CONTAINER_NAME"].rsplit("-", 2)[1])
print(open(os.environ["KAGGLE_API_V1_TOKEN"]).read())
try:
    open("/kaggle/src/mine", "w")
except OSError as error:
    print(error.strerror)
"""
    lines = printed(kaggle, text).splitlines()
    session = kaggle.session("first-one")
    assert lines[:2] == ["/kaggle/src/script.py /kaggle/working True", f"Batch {session.number}"]
    assert lines[2:4] == [session.token, "Read-only file system"]
    assert "NbConvertApp" in lines[-1]
    assert session.status == "COMPLETE"


def test_a_session_has_nothing_of_this_machine(kaggle: Kaggle, tmp_path: Path) -> None:
    # What Kaggle does not have can neither be imported nor read, nor is it in the environment [D].
    (tmp_path / "mine").write_text("secret")
    text = f"""
import importlib.util, os
print([name for name in ("facegan", "jobs") if importlib.util.find_spec(name)])
print([path for path in ({str(tmp_path / "mine")!r}, {str(Path(__file__))!r}) if os.path.exists(path)])
print(sorted(set(os.environ) & {{"FACEGAN_HOME", "PYTHONPATH", "PYTEST_CURRENT_TEST"}}))
print(os.listdir("/kaggle/input"), [n for n in os.listdir("/root") if n != ".pyenv"])
"""
    assert printed(kaggle, text).splitlines()[:4] == ["[]", "[]", "[]", "[] []"]


def test_packages_installed_in_a_session_are_gone_with_it(kaggle: Kaggle) -> None:
    # As root into Kaggle's own Python, which every session has afresh [D].
    text = """
import subprocess, zipfile
with zipfile.ZipFile("oneday-1-py3-none-any.whl", "w") as wheel:
    wheel.writestr("oneday.py", "WORDS = 'here today'")
    wheel.writestr("oneday-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: oneday\\nVersion: 1\\n")
    wheel.writestr("oneday-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("oneday-1.dist-info/RECORD", "")
subprocess.run("python3 -m pip install -q --no-deps --no-index oneday-1-py3-none-any.whl".split(), check=True)
import oneday
print(oneday.WORDS)
"""
    assert "here today" in printed(kaggle, text)
    with pytest.raises(ImportError):
        import oneday  # type: ignore[import-not-found]  # noqa: F401


def test_two_t4s_are_seen_and_none_without_a_gpu(kaggle: Kaggle) -> None:
    # One T4 is no longer to be had [F].
    text = """
import shutil, subprocess
print(shutil.which("nvidia-smi") and subprocess.check_output(["nvidia-smi", "-L"], text=True))
print(subprocess.getoutput("nvidia-smi --query-gpu=name,memory.total --format=csv,noheader,nounits"))
"""
    assert printed(kaggle, text, **GPU).count("Tesla T4, 15360\n") == 2
    push(kaggle, "without-one", text)
    assert kaggle.over("without-one").log.plain().startswith("None")


def test_internet_only_when_asked_for(kaggle: Kaggle) -> None:
    # Off is no route at all [D]; this machine's ports stand for the internet.
    text = f"""
import urllib.request
try:
    print(urllib.request.urlopen({kaggle.url!r} + "/signed/none", timeout=60))
except OSError as error:
    print(error)
"""
    assert "404" in printed(kaggle, text)
    push(kaggle, "without-one", text, enableInternet=False)
    assert "urlopen error" in kaggle.over("without-one").log.plain()


def test_a_sessions_token_is_its_users_while_it_runs(kaggle: Kaggle) -> None:
    # kagglehub is authenticated in a kernel without any secret [S]; how long the token lives is belief [B].
    text = f"""
import json, os, urllib.request
request = urllib.request.Request({kaggle.url!r} + "/v1/security.OAuthService/IntrospectToken", method="POST",
    data=json.dumps({{"token": open(os.environ["KAGGLE_API_V1_TOKEN"]).read()}}).encode())
print(urllib.request.urlopen(request).read().decode())
"""
    assert '"username": "ada"' in printed(kaggle, text)
    assert kaggle.accounts.of_token(kaggle.session("first-one").token) is None


def test_waiting_then_running_then_saving(kaggle: Kaggle) -> None:
    # Some 20 s in the queue; a script that has ended runs until its output is saved [F, R].
    kaggle.set(queue_s=3600, saving_s=3600)
    push(kaggle, text="open('out', 'w').close()")
    assert status(kaggle, "first-one") == "QUEUED"
    kaggle.clock.skip(hours=1)
    until(lambda: "[NbConvertApp]" in kaggle.session("first-one").log.plain())
    assert output(kaggle, "first-one") == {"files": [], "log": "", "nextPageToken": ""}
    assert status(kaggle, "first-one") == "RUNNING"
    until(lambda: kaggle.clock.skip(hours=1) or status(kaggle, "first-one") == "COMPLETE")
    assert output(kaggle, "first-one")["files"]


@pytest.mark.parametrize(
    "text", ["raise ValueError('no')", "raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"]
)
def test_a_script_that_fails_is_an_error_and_keeps_its_output(kaggle: Kaggle, text: str) -> None:
    # Saved after a crash as after a clean end [R].
    push(kaggle, text=f"open('out', 'w').close()\n{text}")
    assert kaggle.over("first-one").status == "ERROR"
    assert [file["fileName"] for file in output(kaggle, "first-one")["files"]] == ["out"]


def test_output_is_plain_files_by_signed_urls(kaggle: Kaggle) -> None:
    # Links, empty folders and the right to be executed are dropped [R]; a URL needs no authorization [S].
    text = """
import os
os.makedirs("a/b"); os.makedirs("empty"); open("a/b/deep", "w").write("deep"); os.symlink("a", "link")
os.symlink("a/b/deep", "file-link"); open("x", "w").write("top"); os.chmod("x", 0o755)
"""
    printed(kaggle, text)
    files = output(kaggle, "first-one")["files"]
    assert [file["fileName"] for file in files] == ["a/b/deep", "x"]
    assert [send(kaggle, "GET", file["url"].removeprefix(kaggle.url)).data for file in files] == [b"deep", b"top"]


def test_output_comes_in_pages_and_too_much_of_it_is_lost(kaggle: Kaggle) -> None:
    # At most 200 files a page [S]; above 20 GB nothing is kept [F].
    printed(kaggle, "for n in range(250): open(f'{n:03}', 'w').write('x')")
    first = output(kaggle, "first-one", pageSize=1000)
    second = output(kaggle, "first-one", pageSize=1000, pageToken=first["nextPageToken"])
    assert (len(first["files"]), len(second["files"]), second["nextPageToken"]) == (200, 50, "")
    kaggle.set(output_bytes=249)
    push(kaggle, "too-much", "for n in range(250): open(f'{n:03}', 'w').write('x')")
    kaggle.over("too-much")
    assert output(kaggle, "too-much")["files"] == []


def test_the_log_is_one_array_of_lines_with_stream_and_time(kaggle: Kaggle) -> None:
    # [S]; the last lines are nbconvert's, whatever the script printed [F].
    printed(kaggle, "import sys; print('one', flush=True); print('two', file=sys.stderr)")
    log = json.loads(output(kaggle, "first-one")["log"])
    assert {(line["stream_name"], line["data"]) for line in log[:2]} == {("stdout", "one\n"), ("stderr", "two\n")}
    assert all(isinstance(line["time"], float) for line in log)
    assert log[-1]["data"].startswith("[NbConvertApp]")


def test_the_live_log_is_replayed_from_its_start(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch) -> None:
    # Server-sent events until END_OF_LOG; whoever comes again gets all of it again [S].
    text = """
import os, time
for n in range(4):
    print(n, flush=True)
    time.sleep(.5)
    while not os.path.exists("go"):
        time.sleep(.01)
"""
    push(kaggle, text=text)
    session = kaggle.session("first-one")
    follow = session.log.follow

    def followed() -> Iterator[Json | None]:
        (session.wish.folder / "kaggle/working/go").touch()  # it is followed while it runs, however late that is
        return follow()

    monkeypatch.setattr(session.log, "follow", followed)
    until(lambda: "0\n" in session.log.plain())
    path = "/v1/kernels/logs/stream/ada/first-one"
    answer = send(kaggle, "GET", path, headers=bearer(kaggle.account.token))
    assert answer.headers["Content-Type"] == "text/event-stream"
    events = [line.removeprefix("data: ") for line in answer.data.decode().splitlines() if line.startswith("data: ")]
    assert events.pop() == "END_OF_LOG"
    assert [json.loads(event)["data"] for event in events[:4]] == ["0\n", "1\n", "2\n", "3\n"]
    kaggle.over("first-one")
    later = send(kaggle, "GET", f"{path}?versionLabel=v1", headers=bearer(kaggle.account.token))
    assert later.headers["Content-Type"] == "application/json"
    assert later.json == [json.loads(event) for event in events]
    assert send(kaggle, "GET", path).code == 401


def test_the_cap_kills_everything_at_once_and_keeps_nothing(kaggle: Kaggle) -> None:
    # No hook at 12:00:00, and such sessions may show neither output nor log [F].
    kaggle.set(queue_s=0)
    text = """
import atexit, os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: print("asked to stop", flush=True))
atexit.register(print, "cleaned up", flush=True)
open("out", "w").close()
subprocess.Popen(["setsid", "sh", "-c", "while :; do date > /kaggle/working/alive; sleep .05; done"])
print("up", flush=True)
time.sleep(60)
"""
    push(kaggle, text=text, **GPU)
    alive = kaggle.session("first-one").wish.folder / "kaggle/working/alive"
    until(lambda: "up" in kaggle.session("first-one").log.plain() and alive.exists())
    kaggle.clock.skip(hours=12)
    session = kaggle.over("first-one")
    assert session.status == "ERROR"
    assert session.log.plain() == "up\n"
    assert output(kaggle, "first-one") == {"files": [], "log": "", "nextPageToken": ""}
    assert 12 * 3600 <= quota_s(kaggle) < 18 * 3600
    before = alive.stat().st_mtime_ns
    time.sleep(0.2)
    assert alive.stat().st_mtime_ns == before


def test_a_cut_off_session_may_keep_what_the_test_says(kaggle: Kaggle) -> None:
    # Reports disagree on what is left [F].
    kaggle.set(kept_at_cap=frozenset({"outputs", "log"}), status_at_cap="CANCEL_ACKNOWLEDGED")
    push(kaggle, text=f"open('out', 'w').close()\n{SLEEP}")
    until(lambda: "up" in kaggle.session("first-one").log.plain())
    kaggle.clock.skip(hours=12)
    assert kaggle.over("first-one").status == "CANCEL_ACKNOWLEDGED"
    answer = output(kaggle, "first-one")
    assert [file["fileName"] for file in answer["files"]] == ["out"]
    assert json.loads(answer["log"])[0]["data"] == "up\n"


def test_the_time_out_of_a_push_is_a_cap_of_its_own(kaggle: Kaggle) -> None:
    # In seconds of the session [S].
    push(kaggle, text=SLEEP, sessionTimeoutSeconds=30)
    session = kaggle.over("first-one")
    assert session.why == "cut off"
    assert session.ran is not None
    assert 30 <= session.ran[1] - session.ran[0] < 12 * 3600


def test_a_cancelled_session_shows_its_output_bit_by_bit(kaggle: Kaggle) -> None:
    # By the id out of the container's name; complete only once the end is acknowledged [R].
    kaggle.set(cancelling_s=3600)
    push(kaggle, text=f"for n in 'abcd': open(n, 'w').close()\n{SLEEP}")
    session = kaggle.session("first-one")
    until(lambda: "up" in session.log.plain())
    answer = call(kaggle, f"{KERNELS}/CancelKernelSession", {"kernelSessionId": session.number})
    assert (answer.code, status(kaggle, "first-one")) == (200, "CANCEL_REQUESTED")
    until(lambda: output(kaggle, "first-one")["files"])
    assert len(output(kaggle, "first-one")["files"]) == 2
    kaggle.clock.skip(hours=1)
    kaggle.over("first-one")
    assert status(kaggle, "first-one") == "CANCEL_ACKNOWLEDGED"
    assert len(output(kaggle, "first-one")["files"]) == 4


def test_only_who_started_a_session_cancels_it(kaggle: Kaggle) -> None:
    # 403 to others, and for what is no session [R].
    push(kaggle, text=SLEEP)
    session = kaggle.session("first-one")
    stranger = kaggle.accounts.add(Account(username="bob"))
    method = f"{KERNELS}/CancelKernelSession"
    assert call(kaggle, method, {"kernelSessionId": session.number}, token=stranger.token).code == 403
    assert call(kaggle, method, {"kernelSessionId": 1}).code == 403
    kaggle.set(cancel_works=False)
    assert call(kaggle, method, {"kernelSessionId": session.number}).code == 403
    assert not session.over


def test_deleting_a_kernel_stops_it_and_destroys_its_output(kaggle: Kaggle) -> None:
    # Session, charge and output end together [F].
    push(kaggle, text="open('out', 'w').close()")
    kaggle.over("first-one")
    url = output(kaggle, "first-one")["files"][0]["url"].removeprefix(kaggle.url)
    push(kaggle, text=SLEEP, **GPU)
    session = kaggle.session("first-one")
    until(lambda: "up" in session.log.plain())
    assert call(kaggle, f"{KERNELS}/DeleteKernel", named(kaggle, "first-one")).code == 200
    assert session.over
    used = quota_s(kaggle)
    time.sleep(0.1)
    assert quota_s(kaggle) == used > 0
    assert send(kaggle, "GET", url).code == 404
    assert call(kaggle, f"{KERNELS}/GetKernelSessionStatus", named(kaggle, "first-one")).code == 403


def test_a_notebook_runs_cell_by_cell(kaggle: Kaggle) -> None:
    # In one scope, without a file of its own; leaving by sys.exit is an error [F].
    cells = [
        {"cell_type": "markdown", "source": "# words"},
        {"cell_type": "code", "source": ["x = 1\n", "!echo shell\n"]},
        {"cell_type": "code", "source": "print(x, '__file__' in globals(), __name__)"},
        {"cell_type": "code", "source": "import sys; sys.exit(0)"},
    ]
    text = printed(kaggle, json.dumps({"cells": cells}), kernelType="notebook")
    assert "shell\n" in text
    assert "1 False __main__\n" in text
    assert kaggle.session("first-one").status == "ERROR"


def test_several_sessions_have_a_kaggle_of_their_own(kaggle: Kaggle) -> None:
    # The same absolute paths in each [D].
    text = "import os, time\nprint(os.listdir('.'))\nopen('mine', 'w').close()\ntime.sleep(.5)"
    for n in range(3):
        push(kaggle, f"session-{n}", text)
    assert [kaggle.over(f"session-{n}").log.plain().splitlines()[0] for n in range(3)] == ["[]"] * 3
    assert not Path("/kaggle").exists()


def test_nothing_is_left_when_the_stand_in_is_left(tmp_path: Path, kaggle: Kaggle) -> None:  # noqa: ARG001 - may skip
    # Not a rule of Kaggle's, but of ours.
    with running(tmp_path) as other:
        for n in range(2):
            push(other, f"session-{n}", SLEEP, **GPU)
        until(lambda: all(one.log.plain() for one in other.kernels.sessions()))
        assert _processes_of(tmp_path)
    assert _processes_of(tmp_path) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("kaggle session")]


def _processes_of(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if os.fsencode(folder) in words and int(entry.name) != os.getpid():
            found.append(words.decode(errors="replace"))
    return found
