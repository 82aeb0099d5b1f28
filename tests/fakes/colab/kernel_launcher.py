"""The kernel of a machine: runs cells one after the other, in one namespace, for whoever is connected.

A cell goes on when nobody waits for it any more, as a Jupyter kernel's does.
"""

import io
import json
import os
import sys
import traceback


class Stream(io.TextIOBase):
    """Passes on what a cell prints, at once."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number

    def write(self, text: str) -> int:
        say(number=self.number, stream=self.name, text=text)
        return len(text)


out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what children print by mistake is no answer


def say(**answer: object) -> None:
    out.write(json.dumps(answer) + "\n")
    out.flush()


def serve() -> None:
    scope = {"__name__": "__main__"}
    say(ready=True)
    for line in os.fdopen(os.dup(0), "r"):
        cell = json.loads(line)
        sys.stdout, sys.stderr = Stream("stdout", cell["number"]), Stream("stderr", cell["number"])
        try:
            exec(compile(cell["code"], "<cell>", "exec"), scope)
        except BaseException:  # noqa: BLE001 - a cell's own
            say(number=cell["number"], stream="stderr", text=traceback.format_exc())
        finally:
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        say(number=cell["number"], done=True)


if __name__ == "__main__":
    serve()
