"""A notebook's code cells as one script: enough of it for notebooks that we write."""

from __future__ import annotations

import json

HEAD = "_scope = {'__name__': '__main__'}\n"


def as_script(notebook: str) -> str:
    """Cells run one after the other in one scope, without `__file__`; one that raises ends the notebook with an error.

    `!command` and `%pip …` run in a shell and must succeed; other `%magic` lines are left out. Leaving by `sys.exit` is
    an error too, as it is to a notebook.
    """
    cells = [cell for cell in json.loads(notebook)["cells"] if cell.get("cell_type") == "code"]
    return HEAD + "".join(_run(n, _plain("".join(cell["source"]))) for n, cell in enumerate(cells, 1))


def _run(number: int, source: str) -> str:
    return (
        f"try:\n    exec(compile({source!r}, '<cell {number}>', 'exec'), _scope)\n"
        "except SystemExit as error:\n    raise RuntimeError(f'SystemExit: {error}') from None\n"
    )


def _plain(source: str) -> str:
    return "\n".join(_line(line) for line in source.splitlines())


def _line(line: str) -> str:
    indent, text = line[: len(line) - len(line.lstrip())], line.lstrip()
    if text.startswith("!"):
        return f"{indent}__import__('subprocess').run({text[1:]!r}, shell=True, check=True)"
    if text.startswith("%pip"):
        return f"{indent}__import__('subprocess').run({'python3 -m ' + text[1:]!r}, shell=True, check=True)"
    return f"{indent}pass" if text.startswith("%") else line
