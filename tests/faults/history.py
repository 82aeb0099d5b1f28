"""One seeded history: sessions on several machines, a user, and everything that goes wrong; then fair weather."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterator
from typing import TypeAlias

from facegan.errors import FaceganError, SessionExit
from facegan.experiment import override
from facegan.ledger import Ledger, Wish, Writer
from facegan.output import Output
from facegan.pruning import Policy, remove, sweep
from facegan.stopping import StopSignal
from facegan.storage.retry import PatientStore
from facegan.verify import verify
from facegan.worker import Surroundings, run_session
from tests.fakes.driving import RUN, SHORT, ask, assert_untouched, create, declare_lost, inline, ledger_of
from tests.faults.weather import Sky
from tests.faults.world import Process, SteppingToy, World

EXPERIMENT = override(SHORT, ["session.heartbeat_s=3", "session.lease_s=12", "session.stall_s=400"])
CODES = {*SessionExit}
Machines: TypeAlias = "itertools.count[int]"
Deed: TypeAlias = Callable[[Process, Machines], None]
WEATHER_S = 150.0  # so long things go wrong


def live(seed: object) -> Sky:
    """Live one history, and hold its end against a run that nothing befell.

    Raises:
        AssertionError: a promise is broken; the seed says all that is needed to see it again.
    """
    world = World(random.Random(f"{seed}"))
    create(world.sky.store, EXPERIMENT)
    ask(world.sky.store)
    world.start("machine 1", lambda process: session(process, 1))
    for deed in deeds(world):
        world.at(world.sky.dice.uniform(1.0, WEATHER_S), deed)
    world.at(WEATHER_S, lambda: clear(world.sky))
    world.run()
    sessions = [process for process in world.processes if process.name.startswith("machine")]
    for process in sessions:
        assert process.killed or process.answer in CODES, (process.name, process.answer)
        assert process.killed or process.said, f"{process.name} ended without a word"
    go_on_in_fair_weather(world)
    assert_untouched(world.sky.store)
    return world.sky


def clear(sky: Sky) -> None:
    sky.fair = True


def go_on_in_fair_weather(world: World) -> None:
    """What the user does in the end: resume until it is finished. Once is enough, or there is something wrong."""
    if ledger_of(world.sky.store).refresh().finished:
        return
    declare_lost(world.sky.store)
    number = ask(world.sky.store, resume=True)
    last = world.start("machine last", lambda process: session(process, number))
    world.run()
    assert last.answer is SessionExit.FINISHED, "\n".join(last.said)


def session(process: Process, number: int | None) -> SessionExit:
    output = Output()

    def say(text: str) -> None:
        process.said.append(text)
        output.write(f"{text}\n".encode())

    return run_session(
        Surroundings(
            store=PatientStore(process.store, process.sleep),
            run=RUN,
            number=number,
            holder=process.name,
            machine={},
            build=lambda experiment: SteppingToy(experiment, process),
            clock=lambda: process.now,
            wall_s=process.wall_s,
            sleep=process.rest,
            new_id=ids(process.name),
            spawn=inline,
            repeat=process.repeat,
            abandon=lambda _code: None,
            began=process.now,
            stop=StopSignal(),
            output=output,
            say=say,
        )
    )


def ids(name: str) -> Callable[[], str]:
    count = itertools.count()
    return lambda: f"{name}-{next(count)}"


def deeds(world: World) -> Iterator[Callable[[], object]]:
    """What whoever owns the run does while the weather is bad: each a process of its own, on one machine or another."""
    dice, machines = world.sky.dice, itertools.count(2)
    choice: list[Deed] = [start_by_hand, start_by_hand, kill, kill, resume, resume, resume, stop, prune, prune, prove]
    for number in range(dice.randrange(4, 16)):
        deed = dice.choice(choice)
        yield functools.partial(world.start, f"user {number}", functools.partial(do, deed, machines))


def do(deed: Deed, machines: Machines, process: Process) -> None:
    try:
        deed(process, machines)
    except FaceganError as error:
        process.said.append(error.message)


def ledger(process: Process) -> Ledger:
    name = f"{process.name} at {process.now}"
    writer = Writer(holder=name, wall_s=process.wall_s, new_id=ids(name))
    return Ledger(PatientStore(process.store, process.sleep), RUN, writer)


def start_by_hand(process: Process, machines: Machines) -> None:
    process.world.start(f"machine {next(machines)}", lambda started: session(started, None))


def kill(process: Process, _machines: Machines) -> None:
    alive = [it for it in process.world.processes if it.name.startswith("machine") and not it.ended]
    if alive:
        process.world.sky.dice.choice(alive).killed = True


def resume(process: Process, machines: Machines) -> None:
    """Only what is positively gone is declared lost."""
    mine = ledger(process)
    fold = mine.refresh()
    holders = {it.name for it in process.world.processes if not it.ended}
    for other in fold.open:
        if other.by is not None and other.by not in holders:
            mine.append(said("lost", session=other.number, why="its process is gone"))
    fold = mine.refresh()
    if fold.holder is None and not fold.open and not fold.finished:
        number = fold.newest + 1
        mine.append(said("intent", session=number, backend="local", resume=True))
        process.world.start(f"machine {next(machines)}", lambda started: session(started, number))


def stop(process: Process, _machines: Machines) -> None:
    ledger(process).append(lambda fold: None if fold.stop or fold.finished else Wish(kind="stop", body={}))


def prune(process: Process, _machines: Machines) -> None:
    mine = ledger(process)
    for _ in remove(mine, sweep(mine, Policy(newest=2))):
        pass


def prove(process: Process, _machines: Machines) -> None:
    """Beside everything, nothing is ever found wrong."""
    verdict = verify(ledger(process))
    assert verdict.wrong == [], f"{verdict.wrong} at {process.now}"


def said(kind: str, **body: object) -> Callable[[object], Wish | None]:
    wanted = [Wish(kind=kind, body=dict(body))]
    return lambda _fold: wanted.pop() if wanted else None
