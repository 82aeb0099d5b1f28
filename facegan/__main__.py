"""`python -m facegan COMMAND`: the work that needs TensorFlow, NumPy or MLflow, each in its own process.

The user's command line never imports these; it starts one of these commands instead.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from facegan.errors import BadInputError, FaceganError, SessionExit
from facegan.setting import unknown

COMMANDS = MappingProxyType(
    {
        "run": "facegan.runtime:main",
        "data": "facegan.data.command:main",
        "sync": "facegan.tracking.command:main",
        "head": "facegan.tracking.command:head",
        "report": "facegan.reporting.command:main",
        "sample": "facegan.training.command:sample",
        "export": "facegan.training.command:export",
    }
)


def main(arguments: Sequence[str]) -> int:
    """Run one command; what it raises becomes two lines on standard error and an exit code."""
    try:
        return _command(arguments)(arguments[1:])
    except FaceganError as error:
        _tell(error.message, error.hint)
        return error.exit_code
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        _tell(f'"{error.name}" is not installed here', f"pip install 'facegan-job[{EXTRAS[error.name]}]'")
    except OSError as error:
        _tell(f'"{error.filename}": {error.strerror or error}', "choose a folder that can be written")
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the last line: nobody is shown a traceback they did not ask for
        if os.environ.get("FACEGAN_DEBUG"):
            traceback.print_exc()
        _tell(f"{type(error).__name__}: {error}", "this is a defect; FACEGAN_DEBUG=1 shows where")
    return SessionExit.FAILED


def _tell(message: str, hint: str | None) -> None:
    sys.stderr.write(f"error: {message}\n")
    if hint:
        sys.stderr.write(f"hint: {hint}\n")


EXTRAS: Mapping[str | None, str] = MappingProxyType(
    {
        "tensorflow": "train",
        "keras": "train",
        "numpy": "train",
        "PIL": "train",
        "safetensors": "train",
        "mlflow": "track",
        "jinja2": "report",
        "matplotlib": "report",
        "boto3": "aws",
    }
)


def _command(arguments: Sequence[str]) -> Callable[[Sequence[str]], int]:
    if not arguments:
        raise BadInputError("which command?", hint=f"python -m facegan COMMAND, one of {', '.join(COMMANDS)}")
    if arguments[0] not in COMMANDS:
        raise unknown("command", arguments[0], COMMANDS)
    module, _, name = COMMANDS[arguments[0]].partition(":")
    command: Callable[[Sequence[str]], int] = getattr(importlib.import_module(module), name)
    return command


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what goes wrong comes as an exception
    sys.exit(main(sys.argv[1:]))
