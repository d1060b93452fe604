"""A command line whose numerical half is replaced, so that its own behaviour is what is tested."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from stand_ins import a_finding, fake_report

from fpcheck.cli.main import run
from fpcheck.report import terminal
from fpcheck.report.report import Report

PASSED = a_finding("FP206", "pass")


class CommandLine:
    """Runs command lines; `analyze` is what stands for the numerical half."""

    def __init__(self, monkeypatch, capsys) -> None:
        self.calls: list[tuple[str, dict]] = []
        self.analyze: Callable[..., Report] = lambda model, **_: fake_report(model, PASSED)
        self._capsys = capsys
        stand_in = SimpleNamespace(analyze=self._analyze)
        monkeypatch.setitem(sys.modules, "fpcheck.jobs.analyze", stand_in)
        monkeypatch.setattr(terminal, "views", dict)

    def _analyze(self, model, **arguments) -> Report:
        self.calls.append((model, arguments))
        return self.analyze(model, **arguments)

    def __call__(self, *arguments: str) -> SimpleNamespace:
        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = self._capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)


@pytest.fixture
def fpcheck(monkeypatch, capsys, tmp_path) -> CommandLine:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    # The stand-in has no section that a view could draw.
    real = terminal.QUESTIONS
    monkeypatch.setattr(terminal, "QUESTIONS", tuple(q for q in real if q != "weights"))
    return CommandLine(monkeypatch, capsys)
