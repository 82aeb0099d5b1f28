"""One setting: a key and what it is set to, read from a text and held against what fits."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from facegan.errors import BadInputError

Limits: TypeAlias = Mapping[str, Any]
Spec: TypeAlias = dataclasses.Field[Any]  # of the key: its default and its limits

BOOLEANS = {"true": True, "false": False}
NOTHING = {"none", ""}


def parse(key: str, text: str, wanted: Any, spec: Spec) -> Any:  # noqa: ANN401 - any scalar
    """Read a text as a type: "none" empties an optional key.

    Raises:
        BadInputError: it is none of that type.
    """
    kinds = _kinds(wanted)
    if type(None) in kinds and is_nothing(text):
        return None
    if bool in kinds and text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                continue
    if str in kinds:
        return text
    raise BadInputError(f'{key} takes {_words(kinds)}, not "{text}"', hint=_example(key, kinds, spec))


def is_nothing(value: object) -> bool:
    """Whether this empties an optional key, on the command line, in TOML, which has no null, or in JSON."""
    return value is None or (isinstance(value, str) and value.lower() in NOTHING)


def check(key: str, value: Any, wanted: Any, spec: Spec, limits: Limits) -> Any:  # noqa: ANN401
    """The value in a type, and within limits.

    Raises:
        BadInputError: it does not fit; says what does.
    """
    kinds = _kinds(wanted)
    if type(None) in kinds and is_nothing(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and float in kinds:
        value = _as_float(value)
    if not isinstance(value, tuple(kinds)) or (isinstance(value, bool) and bool not in kinds):
        hint = _in_quotes(key, value, wanted, spec) or _example(key, kinds, spec)
        raise BadInputError(f'{key} takes {_words(kinds)}, not "{value}"', hint=hint)
    if "choices" in limits and value not in limits["choices"]:
        raise unknown(key, str(value), limits["choices"])
    if beyond := _beyond(value, limits):
        raise BadInputError(f'{key} must be {beyond}, not "{value}"', hint=_example(key, kinds, spec))
    return value


def unknown(what: str, value: str, known: Iterable[str], meant: Sequence[str] | None = None) -> BadInputError:
    """The error for a name that is none of the known ones, which it lists, and before them what may have been `meant`.

    That is the closest of them, where nothing is given.
    """
    names = sorted(known)
    if not names:
        return BadInputError(f'unknown {what} "{value}"', hint="there are none")
    close = difflib.get_close_matches(value, names, n=1) if meant is None else meant
    asked = " or ".join(f'"{name}"' for name in close)
    hint = f"did you mean {asked}? " if close else ""
    return BadInputError(f'unknown {what} "{value}"', hint=f"{hint}known: {', '.join(names)}")


def _beyond(value: Any, limits: Limits) -> str | None:  # noqa: ANN401
    """What a value has to be that is out of its range."""
    if isinstance(value, float) and not math.isfinite(value):
        return "finite"
    if "least" in limits and value < limits["least"]:
        return f"at least {limits['least']}"
    if "above" in limits and value <= limits["above"]:
        return f"more than {limits['above']:g}"
    if "below" in limits and value >= limits["below"]:
        return f"less than {limits['below']}"
    return None


def _in_quotes(key: str, value: object, wanted: Any, spec: Spec) -> str | None:  # noqa: ANN401
    """What to do about quotes in a file that are not wanted, or are wanted and are not there."""
    name = key.rpartition(".")[2]
    if str in _kinds(wanted):
        return f'in quotes: {name} = "{value}"'
    if not isinstance(value, str):
        return None
    try:
        parse(key, value, wanted, spec)
    except BadInputError:
        return None
    return f"without quotes: {name} = {value.lower()}"


def _example(key: str, kinds: list[type[Any]], spec: Spec) -> str:
    """What sets the key to something that fits: to its default, where that is one."""
    usual, least = spec.default, spec.metadata.get("least")
    if bool in kinds:
        usual = "true"
    elif not isinstance(usual, (int, float)) or (least is not None and usual < least):
        usual = least or 1
    return f"for example --set {key}={usual}"


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _kinds(wanted: Any) -> list[type[Any]]:  # noqa: ANN401 - a type expression
    return list(typing.get_args(wanted)) if isinstance(wanted, types.UnionType) else [wanted]


def _words(kinds: list[type[Any]]) -> str:
    named = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", type(None): '"none"'}
    return " or ".join(named[kind] for kind in kinds)
