"""The cache of compiled kernels: found again, never trusted blindly, never in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fpcheck

PACKAGE = Path(fpcheck.__file__).parent
# Compiles or loads the smallest kernel there is, and says how many were compiled.
USE = """
import sys
import numpy as np
from fpcheck.kernels import cache, compile, passes
cold = cache.cache_is_cold()
z = np.array([[-1.0, 2.0]])
passes.periodic(14, z, 0, np.zeros(1), 0.0, 0.0)
z[:] = np.nan
print(cold, compile.compiled, cache.cache_folder(), sep="|")
"""


def use(cache, package_parent=PACKAGE.parent, program=USE):
    """(was cold, kernels compiled, folder) of a new process."""
    environment = os.environ | {"FPCHECK_CACHE_DIR": str(cache), "PYTHONPATH": str(package_parent)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=package_parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    cold, compiled, folder = done.stdout.strip().split("|")
    return cold == "True", int(compiled), Path(folder)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache that one process has filled."""
    cache = tmp_path_factory.mktemp("filled")
    cold, compiled, folder = use(cache)
    assert cold
    assert compiled == 1
    assert folder.parent == cache
    return cache


@pytest.fixture
def copy(filled, tmp_path):
    return Path(shutil.copytree(filled, tmp_path / "restored"))


def test_second_process_compiles_nothing(filled):
    cold, compiled, _ = use(filled)
    assert not cold
    assert compiled == 0


def test_restored_cache_serves_a_moved_install(copy, tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "moved" / "fpcheck", ignore=ignored)
    cold, compiled, _ = use(copy, tmp_path / "moved")
    assert not cold
    assert compiled == 0


def test_changed_source_of_a_callee_starts_cold(copy, tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "changed" / "fpcheck", ignore=ignored)
    source = tmp_path / "changed" / "fpcheck" / "kernels" / "arithmetic.py"
    source.write_text(source.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    cold, compiled, _ = use(copy, tmp_path / "changed")
    assert cold
    assert compiled == 1


def test_damaged_entry_is_compiled_again(copy):
    for entry in copy.rglob("*.nbc"):
        entry.write_bytes(b"\x80\x05nonsense")
    assert use(copy)[1] == 1
    for entry in copy.rglob("*.nbi"):
        entry.write_bytes(b"")
    assert use(copy)[1] == 1


def test_code_of_another_specialisation_is_never_run(tmp_path):
    """Two processes that fill an empty cache at once may leave one file under two names."""
    program = """
import numpy as np
from fpcheck.kernels import cache, compile, passes
values = np.arange(6.0).reshape(2, 3)
for z in (values.copy(), np.asfortranarray(values)):
    passes.periodic(14, z, 3, np.array([0.0, 1.0]), 0.0, 0.0)
    assert np.allclose(z, np.sin(values + [[0.0], [1.0]]), rtol=1e-14)
print(False, compile.compiled, cache.cache_folder(), sep="|")
"""
    _, compiled, folder = use(tmp_path, program=program)
    one, other = sorted(folder.glob("*.nbc"))
    assert compiled == 2
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    assert use(tmp_path, program=program)[1] == 2  # both mended
    assert use(tmp_path, program=program)[1] == 0


def test_folder_that_cannot_be_made_gives_way_to_a_temporary_one(tmp_path):
    file = tmp_path / "file"
    file.write_text("in the way", encoding="utf-8")
    cold, compiled, folder = use(file / "cache")
    assert cold
    assert compiled == 1
    assert not folder.exists()  # gone with its process


def test_asking_whether_the_cache_is_cold_imports_no_numba(tmp_path):
    program = """
import sys
from fpcheck.kernels.cache import cache_folder, cache_is_cold
heavy = sum(name in sys.modules for name in ("numpy", "numba"))
print(cache_is_cold(), heavy, cache_folder(), sep="|")
"""
    cold, heavy, _ = use(tmp_path / "new", program=program)
    assert cold
    assert heavy == 0
