"""What the documents say is what the program does."""

import re
import tomllib
from pathlib import Path

import pytest

from fpcheck.core.catalogue import rules
from fpcheck.network.activations import ACTIVATIONS
from fpcheck.network.initializers import NAMED_LAWS
from fpcheck.network.initializers.families import FAMILIES, SCALES
from fpcheck.network.spec import read_spec
from fpcheck.network.spec.entries import EVERY, KINDS, OPERATIONS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
SPEC = (ROOT / "docs" / "spec.md").read_text("utf-8")


def words(text):
    return set(re.findall(r"[A-Za-z_0-9]+", " ".join(re.findall(r"`([^`]*)`", text))))


@pytest.mark.parametrize(
    "names",
    [ACTIVATIONS, NAMED_LAWS, FAMILIES, KINDS, OPERATIONS, EVERY],
    ids=lambda x: next(iter(x)),
)
def test_the_spec_page_names_everything_that_a_spec_may_say(names):
    assert set(names) <= words(SPEC)


def test_the_spec_page_names_every_key_and_scale():
    keys = {key for kind in KINDS.values() for key in kind}
    assert keys <= words(SPEC)
    assert all(f'"{scale}"' in SPEC for scale in SCALES)
    for family in FAMILIES.values():
        assert {name for name, _ in family.parameters} <= words(SPEC)


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", SPEC, re.S))
def test_every_spec_on_the_page_is_read(text, tmp_path):
    (tmp_path / "net.toml").write_text(text, "utf-8")
    assert read_spec(tmp_path / "net.toml").skeleton.nodes


def test_the_readme_lists_every_finding():
    for code, rule in rules().items():
        assert f"| {code} | {rule.name} | {rule.severity} |" in README


def test_the_readmes_configuration_is_accepted(tmp_path):
    from fpcheck.core.config import read_configuration

    (text,) = re.findall(r"```toml\n(.*?)```", README, re.S)
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")
    tomllib.loads(text)
    configuration = read_configuration(tmp_path, config=None, flags={}, limits={}, discover=True)
    assert configuration.settings_for("model.pt").limits["max_unresolved"] == 0.02


@pytest.mark.parametrize(
    "command",
    ["analyze", "inspect", "suggest", "screen", "new", "report", "explain", "warm", "bench"],
)
def test_the_readme_names_every_command(command):
    assert f"fpcheck {command}" in README


def test_the_report_in_the_readme_is_the_one_that_the_program_writes(monkeypatch, capsys):
    from fpcheck.cli.main import run

    command, shown = re.search(r"```console\n\$ fpcheck (.*?)\n(.*?)```", README, re.S).groups()
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "92")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "PYTHONIOENCODING"):
        monkeypatch.delenv(name, raising=False)
    assert run(command.split()) == 0
    written = capsys.readouterr().out

    def words_of(text):
        """The last digits may differ from one processor to another, and the lines below heads,
        which are as long as their columns are wide."""
        same = re.sub("─+", "─", re.sub(r"[-0-9.e+–·█]+", "#", text.strip()))
        return [line.split() for line in same.splitlines()]

    assert words_of(written) == words_of(shown)
