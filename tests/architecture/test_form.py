"""What every file keeps to: small, described, and bound to no machine."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.start import ROOT

LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
PACKAGES = ("facegan", "jobs", "infra")

MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def too_long(tree: ast.AST) -> list[str]:
    lengths = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions(tree)}
    return [f"{name}: {length} lines" for name, length in lengths.items() if length > LONGEST_FUNCTION]


def undescribed(tree: ast.Module) -> list[str]:
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    missing = [node.name for node in classes if not ast.get_docstring(node)]
    return ["the module", *missing] if not ast.get_docstring(tree) else missing


def test_there_are_modules_to_look_at() -> None:
    assert len(MODULES) > 60


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_small_and_so_are_its_functions(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_MODULE
    assert not too_long(ast.parse(text))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_and_its_classes_say_what_they_are(path: Path) -> None:
    assert not undescribed(ast.parse(path.read_text(encoding="utf-8")))


def test_these_checks_see_what_they_look_for() -> None:
    body = "\n".join("    pass" for _ in range(LONGEST_FUNCTION))
    tree = ast.parse(f"class A:\n    x = 1\ndef long():\n{body}\n")
    assert too_long(tree) == [f"long: {LONGEST_FUNCTION + 1} lines"]
    assert undescribed(tree) == ["the module", "A"]


# Spelled in parts, so that this file is not found.
STRAY = {
    "a path of one machine": re.compile(
        r"(?<![\w.}-])/(?:" + "|".join(("wo" + "rk", "ro" + "ot", "ho" + "me", "Us" + "ers", "mnt/" + "data")) + r")/\w"
    ),
    "a path of one machine's Windows": re.compile(r"[A-Z]:\\+" + "Us" + "ers"),
    "a package registry": re.compile(
        "|".join(
            ("py" + r"pi\.org", "python" + r"hosted\.org", "artifact" + "ory", "index" + "-url", r"/simp" + r"le/")
        )
    ),
}


def tracked() -> list[Path]:
    """Every file that is part of the project: in the index, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    names = [name for name in listed.stdout.decode().split("\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def texts() -> Iterator[tuple[str, str]]:
    for path in tracked():
        try:
            yield name_of(path), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_no_file_is_bound_to_a_machine_or_a_registry() -> None:
    found = [
        f"{name}:{number}: {what}: {line.strip()[:80]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        for what, pattern in STRAY.items()
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    ["cd /wo" + "rk/main", 'open("/ho' + 'me/me/x")', "--index" + "-url https://x", r"C:\Us" + r"ers\me"],
)
def test_what_is_bound_to_a_machine_is_seen(line: str) -> None:
    assert any(pattern.search(line) for pattern in STRAY.values())
