"""One machine for a session, of the places where there may be one: never two, whatever breaks.

The crash argument. Google remembers for two weeks every machine that was asked for, by its name, whether it is there,
was there, or could not be made. So whoever comes next, on whatever machine, reads there how far a walk has come: what
is being made is waited for, what was made is the session's, and what could not be made is not asked for again. What was
asked for a moment ago, and is not remembered yet, is asked for word for word, under the same request id and the same
name, and Google makes nothing twice of either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from facegan.errors import UnreachableError
from facegan.experiment import Json
from jobs.backends import vm
from jobs.backends.gce import facts, listing, naming, refusals, request
from jobs.backends.gce.refusals import AnswerError
from jobs.backends.gce.request import Wanted
from jobs.backends.vm import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """`client` is the project's; an operation is looked at every `every_s` seconds, `patience_s` long.

    One that takes longer is on its way, and what becomes of it is asked by its ref.
    """

    client: Any
    name: str
    project: str
    log: str
    sleep: Callable[[float], object]
    every_s: float
    patience_s: float

    def begun(self, filter: str) -> tuple[Json | None, dict[str, AnswerError]]:
        """The ref of the session's machine, if one is, was, or is being made; and what could not be, by request id."""
        failed: dict[str, AnswerError] = {}
        for operation in self._remembered():
            if (said := refusals.of_operation(self._ended(operation))) is None:
                return listing.ref_of_operation(operation, self.project, self.log), failed
            failed[str(operation.get("clientOperationId"))] = said
        found = self.client.find(filter)
        return (listing.ref(listing.first(found), self.project, self.log) if found else None), failed

    def ask(self, wanted: Wanted, candidates: Sequence[Candidate], failed: dict[str, AnswerError]) -> Json:
        """The ref of the first of these machines that can be had.

        Raises:
            Refusal: none can.
        """
        said = None
        for candidate in candidates:
            said = failed.get(self._id(wanted, candidate))
            if said is None:
                try:
                    return self._made(wanted, candidate)
                except AnswerError as error:
                    said = error
            if said.code in facts.USED_UP:
                likely = facts.quotas(wanted.order.gpu, wanted.market)[0]
                raise refusals.used_up(candidate, said, likely, self.project) from said
            if said.code not in facts.NO_ROOM:
                raise refusals.of_error(said) from said
        assert said is not None, "there is a candidate"
        raise vm.no_room("Compute Engine", candidates, said.code) from said

    def _made(self, wanted: Wanted, candidate: Candidate) -> Json:
        """The ref of this one, which is there, was there, or is on its way.

        Raises:
            AnswerError: it cannot be made.
            UnreachableError: it may still come: the next command asks for the same.
        """
        identity = self._id(wanted, candidate)
        try:
            made = self.client.insert(candidate.zone, request.body(wanted, candidate), identity)
        except UnreachableError:
            remembered = next((each for each in self._remembered() if each.get("clientOperationId") == identity), None)
            if remembered is None:
                raise
            made = remembered
        except AnswerError as error:
            if error.code not in facts.THERE_ALREADY:
                raise
            there = self.client.instance(candidate.zone, self.name)
            return listing.ref(there, self.project, self.log)
        if (said := refusals.of_operation(self._ended(made))) is not None:
            raise said
        return listing.ref_of_operation(made, self.project, self.log)

    def _ended(self, operation: Json) -> Json:
        """The operation when it has, or as far as it came."""
        waited = 0.0
        while operation.get("status") != "DONE" and waited < self.patience_s:
            self.sleep(self.every_s)
            waited += self.every_s
            operation = self.client.operation(listing.zone(operation), str(operation["name"]))
        return operation

    def _remembered(self) -> list[Json]:
        found = self.client.inserts(naming.operations(self.name))
        return sorted(
            (each for each in found if each.get("operationType") == "insert"), key=lambda each: str(each["insertTime"])
        )

    def _id(self, wanted: Wanted, candidate: Candidate) -> str:
        return naming.request_id(wanted.order, candidate.type, candidate.zone)
