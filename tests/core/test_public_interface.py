from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fpcheck

ROOT = Path(__file__).parents[2]


def test_the_version_is_the_project_s():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert fpcheck.__version__ == project["version"]


@pytest.mark.parametrize("name", fpcheck.__all__)
def test_every_public_name_can_be_had(name):
    assert getattr(fpcheck, name) is not None
    assert name in dir(fpcheck)


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        fpcheck.nothing_of_the_kind  # noqa: B018 - reading it is the test


def test_the_package_loads_nothing_until_a_name_is_used():
    code = "import sys, fpcheck; print([m for m in sys.modules if m.startswith('fpcheck.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_and_the_console_script_are_one_program():
    done = subprocess.run(
        [sys.executable, "-m", "fpcheck", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"fpcheck {fpcheck.__version__}\n"
