from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "fpcheck"
ROOMS = ("cli", "jobs", "report", "questions", "theory", "network", "kernels", "core")
QUESTIONS = {"weights", "signal", "attractors", "readout", "simplicity", "escape"}
HEAVY = ("numpy", "numba", "scipy")
LONGEST = 350  # lines of a file
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Every module of this package that `path` imports, at any depth of nesting."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import hides where it points"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    parts = module.split(".")
    name = parts[1] if len(parts) > 1 else ""
    return "questions" if name in QUESTIONS else name


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_point_one_way(path: Path):
    here = dotted(path)
    if room(here) not in ROOMS:  # fpcheck and fpcheck.__main__ stand outside the rooms
        return
    for target in imports(path):
        if not target.startswith("fpcheck.") or room(target) not in ROOMS:
            continue
        assert ROOMS.index(room(here)) <= ROOMS.index(room(target)), f"{here} imports {target}"
        if room(here) == "questions" == room(target):
            assert here.split(".")[1] == target.split(".")[1], f"{here} imports {target}"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_a_file_fits_in_the_head(path: Path):
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST


RICH = {f"fpcheck.report.{name}" for name in ("terminal", "page", "grid")}


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_rich_is_known_to_the_terminal_writer_alone(path: Path):
    if dotted(path) in RICH:
        return
    assert not [name for name in imports(path) if name.split(".")[0] == "rich"]


def light_modules() -> list[str]:
    """What must load in a moment: core, report, cli, rules, views and the package itself."""
    names = [dotted(path) for path in MODULES]
    rooms = [n for n in names if n.split(".")[1:2] in (["core"], ["report"], ["cli"])]
    judges = [n for n in names if room(n) == "questions" and n.endswith(("rules", "view"))]
    return ["fpcheck", *rooms, *judges]


def test_what_judges_and_draws_loads_no_numerics():
    code = (
        "import importlib, sys\n"
        f"for name in {light_modules()!r}: importlib.import_module(name)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_line_loads_rich_only_when_it_draws():
    code = (
        "import sys\n"
        "import fpcheck.cli.app, fpcheck.cli.run, fpcheck.cli.deliver, fpcheck.cli.progress\n"
        "print('rich' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_asking_for_the_version_loads_no_command_line_at_all():
    code = (
        "import sys\n"
        "from fpcheck.cli.main import run\n"
        "assert run(['--version']) == 0\n"
        "print([name for name in ('typer', 'rich', 'numpy') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
