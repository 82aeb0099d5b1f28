"""What `submit` and `resume` do once a session is on its way: follow it, and say what to type next."""

from __future__ import annotations

from facegan.experiment import Json
from facegan.ledger import Ledger, State
from facegan.length import duration
from jobs import heavy, launch, sweeping
from jobs.cli import output
from jobs.context import Context
from jobs.errors import Exit
from jobs.follow import follow
from jobs.run import RunView, exit_of_run, shown, view


def attach(context: Context, ledger: Ledger, *, detach: bool, json: bool, estimate: Json | None = None) -> int:
    """Follow the run to the end of its session, or leave it alone. `estimate` is part of what a program is told."""
    run = ledger.run
    if detach:
        now = view(ledger, context.writer.wall_s())
        output.as_json({**now.to_json(), "estimate": estimate}) if json else output.data(run)
        if ledger.fold.open:
            what, word = _word(ledger)
            output.say(f"  follow  facegan-job logs -f {run}\n  {what}    {word}\n  look    facegan-job ps")
        else:
            _explain(context, ledger, now, None)
        return Exit.OK
    began = context.clock()
    try:
        now = follow(context, ledger, output.ticker(), output.say)
    except KeyboardInterrupt:
        _, word = _word(ledger)
        output.say(f"\ndetached; the run goes on\nhint: facegan-job logs -f {run}   or   {word}")
        return Exit.DETACHED
    took_s = context.clock() - began
    if now.step > 0:
        heavy.sync(context, [run])
    _explain(context, ledger, now, took_s)
    sweeping.sweep(context, ledger)
    if json:
        output.as_json({**now.to_json(), "estimate": estimate})
    return exit_of_run(now.state)


def _word(ledger: Ledger) -> tuple[str, str]:
    """What can be said to its session. One on a copy of the run hears nothing: it is brought home when it has ended."""
    if ledger.fold.carried is not None:
        return "home", f"facegan-job wait {ledger.run}"
    return "stop", f"facegan-job stop {ledger.run}"


def _explain(context: Context, ledger: Ledger, now: RunView, took_s: float | None) -> None:
    run = now.run
    if now.state == State.FINISHED:
        followed = "" if took_s is None else f", followed for {duration(took_s)}"
        output.say(f"run {run} is finished: {shown(ledger, now).done}{followed}")
        output.say(
            f"  pictures  facegan-job pull {run}\n  curves    facegan-job ui\n  proof     facegan-job verify {run}"
        )
        return
    output.error(f"run {run} is {now.state}: {now.why}", _next(now))
    end = ledger.fold.end
    if end and end.kind == "lost":
        output.say(launch.last_words(context, ledger))


def _next(now: RunView) -> str:
    if now.state == State.CANCELLED:
        return f"facegan-job submit {now.experiment} starts a new run"
    if now.state == State.FAILED:
        return f"facegan-job logs {now.run} shows what happened; facegan-job resume {now.run} tries again"
    return f"facegan-job resume {now.run} goes on from checkpoint {now.checkpoint:,}"
