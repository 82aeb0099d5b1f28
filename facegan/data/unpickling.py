"""The one place where a pickle is read: CIFAR-10's python batches, by a reader that can only make data.

A pickle is a program. This interpreter knows the instructions that build dictionaries, lists, tuples, text,
bytes, numbers and NumPy arrays, and no others; it imports nothing and calls nothing. The four names a batch may
mention (`numpy.ndarray`, `numpy.dtype`, NumPy's `_reconstruct` and `_codecs.encode`) are only tokens to it,
and what they would have done is done here, with every size checked against the bytes that are there.

It stands on the pure-Python interpreter of the standard library, because the C one allocates what a pickle
asks for before it looks whether it is there: nine bytes are enough to make it take 32 GiB.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
from collections.abc import Callable, Mapping
from enum import Enum
from math import prod
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from facegan.errors import BadInputError

OPCODES = (
    # what Python 2 wrote (the official files: protocol 2) …
    *("PROTO", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1"),
    *("SHORT_BINSTRING", "BINSTRING", "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    *("APPEND", "APPENDS", "SETITEM", "SETITEMS", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
    *("GLOBAL", "REDUCE", "BUILD"),
    # … and what Python 3 writes when somebody packs them again (protocols 2 to 4)
    *("BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "STACK_GLOBAL", "MEMOIZE", "FRAME"),
)
AXES = 4  # a batch has two
DTYPE = re.compile(r"[iu][1248]|f[48]")  # no objects, no records, no text
BYTE_ORDERS = frozenset("<>=|")
MALFORMED = (
    *(pickle.UnpicklingError, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(EOFError, OverflowError, MemoryError, struct.error),
)


class Token(Enum):
    """A name that a batch may mention; a value like any other, which cannot be called or changed."""

    ARRAY = "numpy.ndarray"
    DTYPE = "numpy.dtype"
    RECONSTRUCT = "numpy._reconstruct"
    ENCODE = "_codecs.encode"


TOKENS: Mapping[tuple[str, str], Token] = MappingProxyType(
    {
        ("numpy", "ndarray"): Token.ARRAY,
        ("numpy", "dtype"): Token.DTYPE,
        ("numpy.core.multiarray", "_reconstruct"): Token.RECONSTRUCT,  # NumPy 1
        ("numpy._core.multiarray", "_reconstruct"): Token.RECONSTRUCT,  # NumPy 2
        ("_codecs", "encode"): Token.ENCODE,  # how Python 3 writes bytes at protocol 2
    }
)


class _RefusedError(Exception):
    """The pickle asks for something that is not data."""


class _Dtype:
    """A type of numbers, being put together."""

    __slots__ = ("kind", "order")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.order = "="


class _Array:
    """An array being put together; it stays in the pickle's memory, so the finished one is inside it."""

    __slots__ = ("finished",)

    def __init__(self) -> None:
        self.finished: NDArray[Any] | None = None


def load(content: bytes, *, called: str) -> dict[str, object]:
    """The dictionary in a pickle, with its keys as text, whichever Python wrote them.

    Arrays among its values are read-only views of bytes that the pickle holds. A Python 2 string is bytes.

    Args:
        content: The whole pickle; nothing larger than a few times this is ever allocated.
        called: What to call it in errors.

    Raises:
        BadInputError: It is no pickle, is cut short, holds no dictionary, or asks for anything but data; says what.
    """
    try:
        found = _Data(io.BytesIO(content), encoding="bytes").load()
        return _dictionary(found)
    except _RefusedError as error:
        raise _bad(called, str(error)) from error
    except MALFORMED as error:
        raise _bad(called, f"it is cut short or damaged ({type(error).__name__}: {error})"[:200]) from error


def _bad(called: str, why: str) -> BadInputError:
    return BadInputError(
        f'"{called}" is not a batch of images that can be read: {why}',
        hint="use the file from https://www.cs.toronto.edu/~kriz/cifar.html; nothing in this one was run",
    )


def _dictionary(found: object) -> dict[str, object]:
    if not isinstance(found, dict):
        raise _RefusedError(f"it holds a {type(found).__name__}, not a dictionary")
    return {_text(key): _finished(value) for key, value in found.items()}


def _text(key: object) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)


def _finished(value: object) -> object:
    return value.finished if isinstance(value, _Array) else value


class Machine(Protocol):
    """What an instruction works on."""

    stack: list[Any]

    def pop_mark(self) -> list[Any]:
        """Take what was put on the stack since the last mark."""
        ...


# The instructions that are done otherwise than by the standard library.


def _reduce(machine: Machine) -> None:
    """A call, of which there are three: start an array, name its type, turn text back into bytes."""
    arguments = machine.stack.pop()
    function = machine.stack.pop()
    if not isinstance(arguments, tuple):
        raise _RefusedError("it calls something without a tuple of arguments")
    machine.stack.append(_called(function, arguments))


def _called(function: object, arguments: tuple[object, ...]) -> object:
    match function, arguments:
        case Token.RECONSTRUCT, (Token.ARRAY, tuple(), bytes() | str()):
            return _Array()  # the shape in this call is a placeholder; the real one comes with BUILD
        case Token.DTYPE, (str() | bytes() as kind, *_):
            kind = _text(kind)
            if DTYPE.fullmatch(kind) is None:
                raise _RefusedError(f"it holds an array of {kind[:20]!r}, not of numbers")
            return _Dtype(kind)
        case Token.ENCODE, (str() as text, "latin1"):
            return text.encode("latin1")
    name = function.value if isinstance(function, Token) else type(function).__name__
    raise _RefusedError(f'it calls "{name}" with arguments that no batch has')


def _build(machine: Machine) -> None:
    """Give a type its byte order, or an array its shape, type and bytes."""
    state = machine.stack.pop()
    match machine.stack[-1], state:
        case _Dtype() as dtype, (int(), str() | bytes() as order, *_) if _text(order) in BYTE_ORDERS:
            dtype.order = _text(order)
        case _Array() as array, (
            int(),
            tuple() as shape,
            _Dtype() as dtype,
            bool() | int() as fortran,
            bytes() as data,
        ):
            array.finished = _array(shape, dtype, "F" if fortran else "C", data)
        case made, _:
            raise _RefusedError(f"it sets the inside of a {type(made).__name__.lstrip('_').lower()}")


def _array(shape: tuple[object, ...], dtype: _Dtype, order: Literal["C", "F"], data: bytes) -> NDArray[Any]:
    """The array, a view of `data`, if `data` is exactly as long as its shape says."""
    kind = np.dtype(dtype.order + dtype.kind)
    sizes = [size for size in shape[:AXES] if isinstance(size, int) and size >= 0]
    if len(sizes) != len(shape) or prod(sizes) * kind.itemsize != len(data):
        raise _RefusedError(f"it holds an array of shape {shape[:AXES]} in {len(data):,} bytes")
    return np.frombuffer(data, kind).reshape(sizes, order=order)


def _set_items(machine: Machine) -> None:
    """Fill a dictionary. A key is text or a number: the hash of nested tuples can be made to take for ever."""
    _fill(machine, machine.pop_mark())


def _set_item(machine: Machine) -> None:
    value = machine.stack.pop()
    _fill(machine, [machine.stack.pop(), value])


def _fill(machine: Machine, items: list[object]) -> None:
    target, keys = machine.stack[-1], items[::2]
    if not isinstance(target, dict) or not all(isinstance(key, str | bytes | int) for key in keys):
        raise _RefusedError("it fills something that is not a dictionary of names")
    target.update(zip(keys, items[1::2], strict=True))


def _standard() -> dict[int, Callable[[Any], None]]:
    known = pickle._Unpickler.dispatch  # noqa: SLF001 - documented nowhere, and the same since Python 3.4
    chosen = {getattr(pickle, name)[0]: known[getattr(pickle, name)[0]] for name in OPCODES}
    own = {"REDUCE": _reduce, "BUILD": _build, "SETITEM": _set_item, "SETITEMS": _set_items}
    return chosen | {getattr(pickle, name)[0]: instruction for name, instruction in own.items()}


class _Instructions(dict[int, Callable[[Any], None]]):
    """The instructions that are known; any other is refused by its number."""

    def __missing__(self, code: int) -> Callable[[Any], None]:
        raise _RefusedError(f"it uses instruction {code:#04x}, which no batch needs")


class _Data(pickle._Unpickler):  # noqa: SLF001
    """The standard interpreter with the instructions above and nothing to import."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = _Instructions(_standard())

    def find_class(self, module: str, name: str) -> Token:
        """A token for one of the known names.

        Raises:
            _RefusedError: For any other.
        """
        if (module, name) not in TOKENS:
            asked = f"{module}.{name}"[:80].encode("unicode_escape").decode()
            raise _RefusedError(f'it asks for "{asked}"')
        return TOKENS[module, name]
