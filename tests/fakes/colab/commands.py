"""What each verb of the command does and prints [S], by its own file of sessions and Colab's list of machines."""

from __future__ import annotations

import json
import secrets
import time
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tests.fakes.colab.arguments import Typed
from tests.fakes.colab.machine import Machine
from tests.waiting import PATIENCE_S

KNOWN = ("A100", "H100", "L4", "T4", "G4")
HIGHEST = "A100"
ADDRESS = "https://accounts.google.com/o/oauth2/auth?response_type=code&state=SECRETSTATE&code_challenge=SECRETCODE"
SERVICE = "https://colab.research.google.com"
POOL = "HTTPSConnectionPool(host='colab.research.google.com', port=443): Max retries exceeded with url: /tun/m"


class Exited(Exception):  # noqa: N818 - as the command's own
    """The command ends here, with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Service(Protocol):
    """Colab, as the command sees it."""

    rules: Any
    machines: dict[str, Machine]

    @abstractmethod
    def assign(self, accelerator: str) -> Machine: ...

    @abstractmethod
    def take(self, endpoint: str, why: str) -> None: ...


class Call:
    """One call of the command, which prints through `printed`."""

    def __init__(self, service: Service, typed: Typed, folder: Path, printed: Callable[[str, str], object]) -> None:
        self._service, self._typed, self._folder, self._printed = service, typed, folder, printed
        self._state = Path(typed.config or folder / "sessions.json")

    def run(self) -> None:
        """Raises `Exited` for any end but a good one."""
        getattr(self, f"_{self._typed.verb}")()

    def _version(self) -> None:
        self._echo(f"Version: {self._service.rules.version}")

    def _whoami(self) -> None:
        if not self._service.rules.internet and self._typed.auth == "oauth2":
            self._fail(f"[colab] whoami: failed to refresh credentials: {POOL}")
        self._sign_in()
        self._echo(f"Auth provider: {self._typed.auth}")
        self._echo(f"Email:         {self._service.rules.user}")
        self._echo("Audience:      764086051850-6qr4p6gpi6hn506pt8ejuq83di341hur.apps.googleusercontent.com")
        self._echo("Expires in:    59m")
        self._echo("Scopes:\n  - https://www.googleapis.com/auth/colaboratory\n  - openid")

    def _usage(self) -> None:
        self._sign_in()
        self._echo(f"Current balance: {self._service.rules.balance:.2f} compute units")
        self._echo("Usage rate: 0.00/hr")
        self._echo(f"Active assignments: {len(self._service.machines)}")

    def _sessions(self) -> None:
        """With no names in the file, a sign-in that ends the program is taken for an account without machines."""
        self._banner()
        names = self._load()
        try:
            self._sign_in()
        except Exited:
            if names or self._service.rules.sign_in != "expired":
                raise
            self._echo("[colab] No active sessions found on server.")
            return
        there = dict(self._service.machines)
        gone = [name for name, entry in names.items() if entry["endpoint"] not in there]
        for name in gone:
            del names[name]
        if gone:
            self._save(names)
            self._echo(f"[colab] Pruned {len(gone)} stale local session(s).")
        if not there:
            self._echo("[colab] No active sessions found on server.")
            return
        by_endpoint = {entry["endpoint"]: name for name, entry in names.items()}
        for endpoint, machine in there.items():
            hardware = "CPU" if machine.accelerator == "NONE" else machine.accelerator
            variant = "DEFAULT" if hardware == "CPU" else "GPU"
            name = by_endpoint.get(endpoint, "?")
            self._echo(f"[{name}] {endpoint} | Hardware: {hardware} | Shape: Standard | Variant: {variant}")

    def _new(self) -> None:
        """Always a new machine, whether or not there is one of that name."""
        self._banner()
        name = self._typed.options.get("session") or secrets.token_hex(3)
        asked = self._typed.options.get("gpu")
        accelerator = "NONE" if asked is None else asked.upper() if asked.upper() in KNOWN else HIGHEST
        self._echo(f"[colab] Creating session '{name}'...")
        self._sign_in()
        rules = self._service.rules
        if rules.no_machine or len(self._service.machines) >= rules.machines:
            self._fail(
                "[colab] Allocation refused (precondition failed). This can mean too many active sessions, or a "
                "temporary usage or capacity limit for the requested runtime. Run `colab stop` to free up a session, "
                "wait and retry, or try a different accelerator."
            )
        if accelerator not in rules.entitled:
            self._fail(
                f"[colab] Backend rejected accelerator '{accelerator}'. You may not have quota or entitlement for this "
                "accelerator on your account. Try a different one (e.g. --gpu T4) or omit --gpu/--tpu for a CPU "
                "runtime."
            )
        machine = self._service.assign(rules.gives or accelerator)
        if rules.dies_in_new:
            raise Exited(137)
        self._save({**self._load(), name: _entry(name, machine)})
        self._echo("[colab] Session READY.")

    def _exec(self) -> None:
        name, machine = self._session()
        code = Path(self._typed.options["file"]).read_text(encoding="utf-8")
        if not code.strip():
            raise Exited(0)
        try:
            patience_s = self._service.rules.prelude_s if machine.is_busy else PATIENCE_S  # an idle one may be slow
            machine.run("import os; os.chdir('/content')", patience_s, self._printed)
            self._service.rules.history.append(code)
            machine.run(code, float(self._typed.options.get("timeout", 30.0)), self._printed)
        except TimeoutError:
            self._traceback("TimeoutError: Timeout waiting for output")
        if machine.is_over:
            self._lost(name)

    def _upload(self) -> None:
        _, machine = self._session()
        local, remote = Path(self._typed.options["local_path"]), self._typed.options["remote_path"]
        if not local.is_file():
            self._echo(f"[colab] Local file '{local}' not found.")
            raise Exited(1)
        try:
            target = machine.path(remote)
            target.write_bytes(local.read_bytes())
        except OSError:
            self._echo(f"[colab] Upload failed: File or directory not found: {remote}")
            raise Exited(1) from None
        self._echo(f"[colab] Uploaded '{local}' to '{remote}'")

    def _download(self) -> None:
        _, machine = self._session()
        local, remote = Path(self._typed.options["local_path"]), self._typed.options["remote_path"]
        try:
            local.write_bytes(machine.path(remote).read_bytes())
        except OSError:
            self._echo(f"[colab] Download failed: File or directory not found: {remote}")
            raise Exited(1) from None
        self._echo(f"[colab] Downloaded '{remote}' to '{local}'")

    def _stop(self) -> None:
        name = self._typed.options["session"]
        if name not in self._load():
            self._echo(f"[colab] Session '{name}' not found.")
            return
        _, machine = self._session()
        self._echo(f"[colab] Stopping session '{name}'...")
        self._service.take(machine.endpoint, "stopped")
        self._save({key: entry for key, entry in self._load().items() if key != name})
        self._echo("[colab] Session terminated.")

    def _session(self) -> tuple[str, Machine]:
        name = self._typed.options.get("session")
        names = self._load()
        if name is None or name not in names:
            self._echo(f"[colab] Session '{name}' not found.")
            raise Exited(1)
        self._sign_in()
        machine = self._service.machines.get(names[name]["endpoint"])
        if machine is None:
            self._lost(name)
            raise Exited(1)
        self._save({**names, name: _entry(name, machine)})
        return name, machine

    def _lost(self, name: str) -> None:
        self._save({key: entry for key, entry in self._load().items() if key != name})
        self._echo(f"[colab] Session '{name}' not found.")
        raise Exited(1)

    def _sign_in(self) -> None:
        rules = self._service.rules
        if rules.sign_in == "absent":
            if self._typed.auth == "oauth2":
                self._printed("stderr", f"\nTo authorize colab-cli, visit this URL in any browser:\n\n  {ADDRESS}\n\n")
                self._printed("stderr", "After approving, Google will display an authorization code.\n\nAborted.\n")
                self._printed("stdout", "Enter the authorization code: ")
                raise Exited(1)
            self._traceback("DefaultCredentialsError: Your default credentials were not found. To set up")
        if rules.sign_in == "expired" or (not rules.internet and self._typed.auth == "adc"):
            self._fail("No valid default credentials found. To authenticate, run:\n\n  gcloud auth …\n")
        if not rules.internet:
            self._traceback(f"ConnectionError: {POOL}")
        if rules.sign_in == "scope" and self._typed.verb != "whoami":  # [S] the status' own word, and no more
            self._traceback(f"ColabRequestError: Failed to issue request GET {SERVICE}/tun/m/assignments: Forbidden")

    def _banner(self) -> None:
        """Printed by most verbs, once a newer version is known of [S]."""
        rules = self._service.rules
        if rules.newer:
            self._echo(
                f"\n[colab] A new version of Colab CLI is available: 0.9.0 (current: {self._service.rules.version})"
            )
            self._echo("[colab] Run 'colab update' to update.\n")

    def _traceback(self, last: str) -> None:
        self._printed("stderr", f"╭─ Traceback (most recent call last) ─╮\n│ in request:700 │\n╰──────╯\n{last}\n")
        raise Exited(1)

    def _fail(self, text: str) -> None:
        self._printed("stderr", f"{text}\n")
        raise Exited(1)

    def _echo(self, text: str) -> None:
        self._printed("stdout", f"{text}\n")

    def _load(self) -> dict[str, Any]:
        try:
            found = json.loads(self._state.read_text())
            return {name: entry for name, entry in found.items() if {"name", "token", "url", "endpoint"} <= set(entry)}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _save(self, names: dict[str, Any]) -> None:
        self._state.parent.mkdir(parents=True, exist_ok=True)
        self._state.write_text(json.dumps(names, indent=2))


def _entry(name: str, machine: Machine) -> dict[str, Any]:
    return {
        "name": name, "token": f"proxy-{machine.endpoint}", "url": f"https://{machine.endpoint}.colab.dev",
        "endpoint": machine.endpoint, "token_expires_at": f"{time.time() + 3600:.0f}", "variant": "GPU",
        "accelerator": machine.accelerator, "machine_shape": "STANDARD", "kernel_id": None, "session_id": None,
        "last_execution": None, "running": None,
    }  # fmt: skip
