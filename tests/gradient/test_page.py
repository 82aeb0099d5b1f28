"""docs/gradient.md, typed: from an account to a finished run, in a bucket that both sides reach."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.cloud import servers
from tests.e2e.runs import SHORT
from tests.fakes import gradient
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gradient.md").read_text(encoding="utf-8")
DIGEST = "sha256:" + "7" * 64


def typed(line: str, folder: Path, variables: dict[str, str], *, may_fail: bool = False) -> str:
    command = [sys.executable, "-P", "-c", "from jobs.cli import main; main()", *line.split()[1:]]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, f"$ {line}\n{done.stderr}"
    assert may_fail or done.returncode == 0, f"$ {line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_page_from_an_account_to_an_empty_bill(tmp_path: Path) -> None:
    """Each line as it is typed; the run shortened to a few steps, and on no GPU, as there is none here."""
    servers.require("tensorflow")
    export, *blocks = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert export.startswith("export PAPERSPACE_API_KEY=psk-")
    short = " ".join(f"--set {word}" for word in (*SHORT, "session.heartbeat_s=0.5"))
    told = {}
    with servers.moto() as s3, gradient.serving(tmp_path / "containers") as place:
        variables = {
            **servers.NOBODY,
            "PAPERSPACE_API_KEY": gradient.KEY,
            "PAPERSPACE_API_URL": place.url,
            "HOME": str(tmp_path),
        }
        for line in "".join(blocks).splitlines():
            if " = " in line:
                setting = line.replace("sha256:…", DIGEST).replace(
                    "s3://my-bucket/gans", f"s3://{servers.BUCKET}/gans?endpoint={s3}"
                )
                with (tmp_path / "facegan.toml").open("a") as file:
                    file.write(f"{setting}\n")
                continue
            text = line.replace("submit dcgan-mnist", f"submit dcgan-mnist {short}").replace(" --gpu a4000", "")
            told[line] = typed(text, tmp_path, variables, may_fail="doctor" in line)
            if line.startswith("facegan-job wait"):
                until(lambda: place.runs()[0].phase != "Running")
        assert "finished" in told["facegan-job status digits"]
        (run,) = place.runs()
        assert run.phase == "Succeeded"
        assert DIGEST in run.spec["jobs"]["session"]["with"]["image"]
        assert not place.secrets
        assert b"testing" not in place.seen
