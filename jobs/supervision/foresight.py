"""Plans of experiments and of runs: what is asked of whom for one, and when it is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from facegan import hours as time_spent
from facegan.catalog.datasets import DATASETS
from facegan.experiment import Experiment
from facegan.ledger import Ledger
from jobs import rates, recipe
from jobs.budget import Budget
from jobs.context import Context
from jobs.orders import Place
from jobs.planning.plan import Course, Plan, plan
from jobs.planning.prospects import Prospect, Terms, Unfit
from jobs.run import view
from jobs.shelf import shelf
from jobs.spending import so_far
from jobs.supervision import auto, experience, outlook
from jobs.supervision.outlook import Known, Ready
from jobs.supervision.past import Past
from jobs.supervision.policy import AUTO, Allowed
from jobs.supervision.running import Running


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a plan is wanted for: these backends, or `None` for those a run may go over by now, and these terms.

    `usd_h` is what the user says an hour costs where it is not free.
    """

    backends: tuple[str, ...] | None = None
    gpu: str | None = None
    usd_h: float | None = None
    terms: Terms = field(default_factory=Terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan, what it is for, and what it rests on. `notes` are what else the user should know."""

    what: str
    course: Course
    terms: Terms
    plan: Plan
    prospects: Sequence[Prospect]
    notes: Sequence[str] = ()


def of_experiment(context: Context, named: str, overrides: Sequence[str], asked: Asked) -> Planned:
    """The plan of a run that is not begun.

    Raises:
        BadInputError: there is no such experiment, or it cannot be trained as it is asked for.
    """
    base, chosen = experiment_of(context, named, overrides)
    names, is_auto = auto.names_of(asked.backends or (AUTO,))
    wanted = auto.Wanted(names=names, gpu=asked.gpu, chosen=chosen, is_auto=is_auto, usd_h=asked.usd_h)
    course = Course(now=context.writer.wall_s(), done=0, steps=base.training.steps)
    return _planned(context, base.name, wanted, course, asked.terms)


def of_run(context: Context, ledger: Ledger, asked: Asked) -> Planned:
    """The plan of a run, as far as it is: a session that is open is its first leg."""
    now, stays = view(ledger, context.writer.wall_s()), time_spent.read(ledger)
    fold, said = ledger.fold, Past(ledger).relay()
    policy = Allowed(settings=context.settings, backends=asked.backends, gpu=asked.gpu).policy(said)
    terms = _terms(asked.terms, policy.budget, ledger)
    course = Course(now=context.writer.wall_s(), done=now.step, steps=now.steps)
    if fold.finished or fold.cancel:
        return Planned(what=ledger.run, course=course, terms=terms, prospects=(), plan=Plan(legs=(), why=now.why))
    last = stays.sessions[-1] if stays.sessions else None
    names, is_auto = auto.names_of(asked.backends or policy.backends)
    chosen = ledger.created()
    wanted = auto.Wanted(
        names=names,
        gpu=policy.gpu or (last.gpu if last is not None else None),
        chosen=lambda _where: chosen,
        is_auto=is_auto or policy.auto,
        usd_h=policy.budget.usd_h if asked.usd_h is None else asked.usd_h,
    )
    is_open = last is not None and fold.open and fold.open[-1].number == last.number
    running = Running(run=ledger.run, view=now, stay=last, chosen=chosen) if last is not None and is_open else None
    found = _planned(context, ledger.run, wanted, course, terms, running)
    return replace(found, notes=(f"it is {now.state}: planned as if it were resumed now",) if fold.stop else ())


def _terms(asked: Terms, budget: Budget, ledger: Ledger) -> Terms:
    """What the run may cost and take still: by what was asked now, else by what is remembered, less what it has.

    What a session that is open was given is not gone: it is what the plan begins with.
    """
    usd = budget.usd if asked.budget is None else asked.budget
    hours = budget.hours if asked.hours is None else asked.hours
    if usd is None and hours is None:
        return asked
    spent = so_far(ledger)
    return replace(asked, budget=usd, hours=hours).less(spent.usd, spent.ms / 1000.0)


def known(context: Context) -> Known:
    """What plans rest on here."""
    return Known(own=experience.read(context), rate=rates.rate)


def sorted_out(
    ready: Sequence[Ready | Unfit], known_here: Known, now: float, terms: Terms, *, is_auto: bool
) -> tuple[list[Prospect], list[Unfit]]:
    """Which of the places a plan can be made over, and why not over the others; as they were named."""
    told = [each if isinstance(each, Unfit) else outlook.prospect(each, known_here, now) for each in ready]
    fit, dear = outlook.affordable([each for each in told if isinstance(each, Prospect)], terms, is_auto=is_auto)
    return fit, [*(each for each in told if isinstance(each, Unfit)), *dear]


def experiment_of(
    context: Context, named: str, overrides: Sequence[str]
) -> tuple[Experiment, Callable[[Place], Experiment]]:
    """The experiment as far as it is the same everywhere, and as a session at a place would train it."""
    look = shelf(context.settings.home, context.store, lambda _text: None)
    base = recipe.resolve(named, overrides, device="cpu", cores=1, look=look, there=tuple(DATASETS))

    def chosen(where: Place) -> Experiment:
        on, there = where.backend.machine(where.gpu), where.backend.capabilities().data_there
        return recipe.resolve(named, overrides, device=on.device, cores=on.cores, look=look, there=there)

    return base, chosen


def _planned(
    context: Context, what: str, wanted: auto.Wanted, course: Course, terms: Terms, running: Running | None = None
) -> Planned:
    ready = auto.look(context, wanted)
    known_here = known(context)
    if running is not None:
        known_here = replace(known_here, own=running.added_to(known_here.own))
    fit, unfit = sorted_out(ready, known_here, course.now, terms, is_auto=wanted.is_auto)
    if running is not None:
        opening = running.opening(fit, course.now)
        if opening is None:
            dark = Plan(legs=(), unfit=tuple(unfit), why=running.dark(unfit))
            return Planned(what=what, course=course, terms=terms, plan=dark, prospects=fit)
        course = replace(course, opening=opening)
    return Planned(what=what, course=course, terms=terms, plan=plan(fit, unfit, course, terms), prospects=fit)
