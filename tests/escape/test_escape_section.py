"""The escape question as an analysis asks it: on request, with data, of what has weights."""

from pathlib import Path

import pytest

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings, asked_questions
from fpcheck.jobs.sections import Case, measure_sections
from fpcheck.jobs.timing import Stopwatch
from fpcheck.network.data import Data, load_data
from fpcheck.network.load import load

SAMPLES = Path(__file__).parents[2] / "samples"
SPEC = """
[network]
input = 64
layers = [{ dense = 16, activation = "relu" }, { dense = 10 }]
[init]
weights = "he_normal"
"""


@pytest.fixture
def ask(tmp_path):
    """The section of a spec on the digits."""
    (tmp_path / "net.toml").write_text(SPEC)
    subject = load(tmp_path / "net.toml")

    def measured(data: Data | None, **settings):
        settings = Settings(**{"questions": ("escape",), "probe_steps": 40, **settings})
        case = Case(subject, subject.network, data, settings, Monitor())
        return measure_sections(case, Stopwatch())["escape"]

    return measured


def test_escape_is_asked_by_name_alone():
    assert "escape" not in asked_questions(())
    assert asked_questions(("escape",)) == ("escape",)


def test_the_section_has_the_agreed_keys(ask):
    section = ask(load_data(SAMPLES / "digits.npz"))
    assert section["trainability"] == "trains"
    assert section["learning_rate"] > 0.0
    assert section["loss_name"] == "cross-entropy"
    first = section["steps"][0]
    assert first["layers"][0]["sigma1"] >= first["layers"][0]["sigma2"]
    assert len(first["layers"][0]["singular_values"]) == 10
    assert section["scan"] == {"skipped": "not asked; pass --escape-scan"}
    assert set(section["verdict"]) == {"answer", "reason", "next_step"}
    assert "biases" in section["direction"]["skipped"]


def test_without_data_and_without_a_request_there_is_none(ask):
    assert "--data" in ask(None)["skipped"]
    assert ask(None, questions=("weights",))["asked"] is False
