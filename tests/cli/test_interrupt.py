"""Ctrl-C, in real processes: the work stops within a second, exit 130, nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

# Far above the second that is promised, so that a loaded machine cannot fail the test, and far
# below what the interrupted work would take.
PATIENCE = 30.0

START = """
import hashlib, signal, sys, time
from types import SimpleNamespace
from fpcheck.cli.main import run

signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background ignores it

def ready():
    print("ready", flush=True)
"""
RUN = """
sys.modules["fpcheck.jobs.analyze"] = SimpleNamespace(analyze=analyze)
sys.exit(run(["analyze", "net.npz", "-o", "report.json"]))
"""


def interrupted(work: str, folder: Path, signals: int = 1) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of an analysis that is interrupted once it is at work."""
    code = START + textwrap.dedent(work) + RUN
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=folder, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            for _ in range(signals):
                process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    return process.returncode, out, err


def test_work_on_threads_is_told_to_stop(tmp_path):
    work = """
    def chunks(monitor):
        while True:
            monitor.check()
            time.sleep(0.01)

    def analyze(model, *, monitor, **_):
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(chunks, monitor) for _ in range(2)]
            ready()
            for future in futures:
                future.result()
    """
    assert interrupted(work, tmp_path) == (130, "", "")
    assert list(tmp_path.iterdir()) == []


def test_work_in_the_main_thread_is_interrupted(tmp_path):
    work = """
    def analyze(model, **_):
        ready()
        while True:
            pass
    """
    assert interrupted(work, tmp_path) == (130, "", "")


def test_a_long_call_into_a_library_does_not_hold_the_interrupt_back(tmp_path):
    # Hashing in C for minutes, the interpreter's lock released, no signal looked at.
    work = """
    def analyze(model, **_):
        ready()
        hashlib.pbkdf2_hmac("sha256", b"x", b"y", 2_000_000_000)
    """
    code, out, err = interrupted(work, tmp_path)
    assert (code, out, err) == (130, "", "")
    assert list(tmp_path.iterdir()) == []


def test_the_process_ends_with_the_code_though_a_string_of_code_was_interrupted(tmp_path):
    # Python ends itself by the signal, at its very end, once an interrupt has left an exec().
    work = """
    def analyze(model, **_):
        ready()
        exec("while True: pass")

    from fpcheck.cli.main import main
    sys.argv = ["fpcheck", "analyze", "net.npz"]
    sys.modules["fpcheck.jobs.analyze"] = SimpleNamespace(analyze=analyze)
    main()
    """
    assert interrupted(work, tmp_path) == (130, "", "")


REAL = """
import sys
from functools import partial
from fpcheck.cli import progress
from fpcheck.cli.main import run
from fpcheck.core.progress import Monitor
import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
told = []

def hear(text, done, total):
    if text.startswith(sys.argv[1]) and not told:
        told.append(text)
        print("ready", flush=True)

progress.Monitor = partial(Monitor, report=hear)
sys.exit(run(sys.argv[2:]))
"""
SAMPLES = Path(__file__).parents[2] / "samples"
# Far longer than the interrupt takes: a run that goes on ends with another code.
LONG = ["--starts", "100000", "--splits", "2000"]


@pytest.mark.parametrize("stage", ["weights", "signal", "iterating starts", "readout, random"])
def test_every_stage_of_a_real_analysis_can_be_interrupted(tmp_path, stage):
    question = {"iterating starts": "attractors", "readout, random": "readout"}.get(stage, stage)
    models = ["autoencoder.npz", "untrained_normal.npz"]
    analyze = [
        "analyze", *(str(SAMPLES / model) for model in models), "--activation", "tanh", *LONG,
        "-Q", question, "--data", str(SAMPLES / "digits.npz"), "-o", "json={name}.json",
    ]  # fmt: skip
    command = [sys.executable, "-c", REAL, stage, *analyze]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (130, "", "")
    assert list(tmp_path.iterdir()) == []
