"""`python -m facegan COMMAND`: the work that needs TensorFlow, NumPy or MLflow, each in its own process.

The user's command line never imports these; it starts one of these commands instead.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from types import MappingProxyType

from facegan.errors import BadInputError, FaceganError, SessionExit
from facegan.experiment import unknown

COMMANDS = MappingProxyType(
    {
        "run": "facegan.runtime:main",
        "data": "facegan.data.command:main",
        "sync": "facegan.tracking.command:main",
        "sample": "facegan.training.command:sample",
        "export": "facegan.training.command:export",
    }
)


def main(arguments: Sequence[str]) -> int:
    """Run one command; what it raises becomes two lines on standard error and an exit code."""
    try:
        return _command(arguments)(arguments[1:])
    except FaceganError as error:
        sys.stderr.write(f"error: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"hint: {error.hint}\n")
        return error.exit_code
    except ModuleNotFoundError as error:
        if error.name and error.name in EXTRAS:
            sys.stderr.write(f'error: "{error.name}" is not installed here\n')
            sys.stderr.write(f"hint: pip install 'facegan-job[{EXTRAS[error.name]}]'\n")
            return SessionExit.FAILED
        raise


EXTRAS = MappingProxyType(
    {
        "tensorflow": "train",
        "keras": "train",
        "numpy": "train",
        "PIL": "train",
        "safetensors": "train",
        "mlflow": "track",
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
