"""`facegan-job status RUN`."""

from __future__ import annotations

from jobs import context as contexts
from jobs import runs, settings
from jobs.cli import options, output
from jobs.run import shown, view


def status(run: options.Run, store: options.Store = None, json: options.Json = False) -> None:
    """Say how a run is, and why."""
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run)
    now = view(ledger, context.writer.wall_s())
    images = shown(ledger, now)
    if json:
        output.as_json({**now.to_json(), "shown": images.to_json()})
        return
    said = {
        "run": now.run,
        "experiment": now.experiment,
        "state": " ".join([now.state, *now.flags]),
        "step": f"{now.step:,} of {now.steps:,}",
        "shown": str(images),
        "checkpoint": f"{now.checkpoint:,}" if now.checkpoint else "none",
        "sessions": str(now.sessions),
        "backend": " ".join(part for part in (now.backend, now.host) if part),
        "image": now.bundle,
        "device": now.device,
        "rate": f"{now.rate:.1f} steps/s" if now.rate else "",
        "losses": "  ".join(f"{name} {value:.3f}" for name, value in now.losses.items()),
        "why": now.why,
    }
    for name, value in said.items():
        if value:
            output.data(f"{name:<11} {value}")
