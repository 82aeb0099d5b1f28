"""Where a suspended process stands, in comparable form: its frames, and all that can be reached from them.

Two histories after which a process stands at the same instruction of the same frames, with equal values in
all variables and in everything these lead to, cannot be told apart by anything it does later. What Python keeps
out of sight is the evaluation stack: iterators of running `for` loops and half-built expressions. In the code
explored here they follow from what is in sight: loops run over sequences without repetition, which are in a
variable or constant, and their loop variable says how far. `test_reduction.py` holds this against the code: it
answers every place that was taken for another just as the other is answered, and finds the two still equal.
"""

from __future__ import annotations

import dataclasses
import dis
import enum
import hashlib
import itertools
import threading
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Any, TypeAlias

from greenlet import greenlet

from facegan.experiment import Experiment

SKIPPED = ("said",)  # attributes that a process writes and never reads
PLAIN = {int, float, str, bytes, bool, type(None), bytearray, range}


def standing(process: greenlet) -> bytes:
    """A digest of the process' whole state."""
    walk = _Walk()
    frame = process.gr_frame
    while frame is not None:
        walk.frame(frame)
        frame = frame.f_back
    return hashlib.sha256(repr(walk.tokens).encode()).digest()


class _Walk:
    """Turns objects into tokens, each mutable one once, so that who shares what is part of the result."""

    def __init__(self) -> None:
        self.tokens: list[object] = []
        self._met: dict[int, int] = {}
        self._alive: list[object] = []  # an id is only an id as long as its object lives

    def frame(self, frame: types.FrameType) -> None:
        code = frame.f_code
        self.tokens += ["frame", code.co_filename, code.co_firstlineno, code.co_name, _instruction(code, frame.f_lasti)]
        for name, item in sorted(frame.f_locals.items()):
            self.tokens.append(name)
            self.item(item)

    def item(self, item: Any) -> None:
        kind = type(item)
        if kind in PLAIN:
            self.tokens.append(item)  # its representation tells its type
            return
        visit, has_identity = _visit_of(kind)
        if has_identity:
            if id(item) in self._met:
                self.tokens += ["again", self._met[id(item)]]
                return
            self._met[id(item)] = len(self._met)
            self._alive.append(item)
        visit(self, item)

    def all(self, what: str, items: Collection[object]) -> None:
        self.tokens += [what, len(items)]
        for item in items:
            self.item(item)

    def named(self, what: str, pairs: Iterable[tuple[str, object]]) -> None:
        self.tokens.append(what)
        for name, item in pairs:
            self.tokens.append(name)
            self.item(item)


@cache
def _instruction(code: types.CodeType, at: int) -> int:
    """Where the instruction begins.

    Once Python has specialised it, a frame may stand a few bytes into it, or, in Python 3.11, at the `PRECALL` that
    comes before every `CALL` and then does its work.
    """
    before = [i for i in dis.get_instructions(code) if i.offset <= at]
    return before[-2 if before[-1].opname == "CALL" and before[-2].opname == "PRECALL" else -1].offset


Visit: TypeAlias = Callable[[_Walk, Any], None]


@cache
def _visit_of(kind: type) -> tuple[Visit, bool]:
    """How to walk through objects of this type, and whether it matters which of two equal ones it is."""
    for known, visit in _VALUES.items():
        if issubclass(kind, known):
            return visit, False
    parameters = getattr(kind, "__dataclass_params__", None)
    if parameters is not None and parameters.frozen:
        return _fields(kind), False
    for known, visit in _OBJECTS.items():
        if issubclass(kind, known):
            return visit, True
    if kind.__dictoffset__ or hasattr(kind, "__slots__"):
        return _attributes(kind), True
    raise TypeError(f"no way to compare a {kind}")


def _fields(kind: type) -> Visit:
    names = [field.name for field in dataclasses.fields(kind)]
    return lambda walk, item: walk.all(kind.__name__, [getattr(item, name) for name in names])


def _attributes(kind: type) -> Visit:
    slots = {name for base in kind.__mro__ for name in getattr(base, "__slots__", ())}

    def visit(walk: _Walk, item: Any) -> None:
        names = sorted({*getattr(item, "__dict__", ()), *slots}.difference(SKIPPED))
        walk.named(kind.__qualname__, ((name, getattr(item, name)) for name in names if hasattr(item, name)))

    return visit


def _function(walk: _Walk, item: types.FunctionType) -> None:
    walk.tokens += ["function", item.__code__.co_filename, item.__code__.co_firstlineno, item.__qualname__]
    walk.item(item.__defaults__)
    cells = zip(item.__code__.co_freevars, item.__closure__ or (), strict=True)
    walk.named("closure", ((name, _inside(cell)) for name, cell in cells))


def _inside(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return "nothing yet"


def _named(walk: _Walk, item: Any) -> None:
    walk.tokens += ["named", getattr(item, "__module__", ""), getattr(item, "__qualname__", repr(item))]
    if isinstance(getattr(item, "__self__", None), list | dict):
        walk.item(item.__self__)


def _dict(walk: _Walk, item: Mapping[object, object]) -> None:
    walk.all("dict", [part for pair in item.items() for part in pair])


def _generator(walk: _Walk, item: types.GeneratorType[Any, Any, Any]) -> None:
    walk.tokens.append("generator")
    if item.gi_frame is not None:
        walk.frame(item.gi_frame)


_VALUES: Mapping[Any, Visit] = {
    enum.Enum: lambda walk, item: walk.tokens.extend((type(item).__name__, item.name)),
    Experiment: lambda walk, item: walk.tokens.extend(("experiment", item.name)),  # the one of the run's first entry
    tuple: lambda walk, item: walk.all("tuple", item),
    frozenset: lambda walk, item: walk.all("set", sorted(item)),
    (type, types.ModuleType, types.BuiltinFunctionType, types.GenericAlias): _named,
    BaseException: lambda walk, item: walk.all(type(item).__qualname__, item.args),
}
_ITERATORS = (type(iter([])), type(iter(())), type(iter(range(0))), type(reversed([])))
_LOCKS = (type(threading.Lock()), type(threading.RLock()))
_OBJECTS: Mapping[Any, Visit] = {
    _LOCKS: lambda walk, _: walk.tokens.append("lock"),  # who holds it follows from the frames
    types.FunctionType: _function,
    types.GeneratorType: _generator,
    types.MethodType: lambda walk, item: walk.all("method", (item.__func__, item.__self__)),
    list: lambda walk, item: walk.all("list", item),
    set: lambda walk, item: walk.all("set", sorted(item)),
    dict: _dict,
    itertools.count: lambda walk, item: walk.tokens.append(repr(item)),
    _ITERATORS: lambda walk, item: walk.item(item.__reduce__()[1:]),
}
