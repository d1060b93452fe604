"""What a recognised initialiser means for the signal: chi_1, its sentence, FP005, the tables."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from rich.cells import cell_len

from fpcheck.core.plain import plain
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.core.tables import Note, Table
from fpcheck.jobs.inspect import inspect
from fpcheck.network.initializers import draw_network
from fpcheck.network.network import Network
from fpcheck.network.spec import parse_spec
from fpcheck.network.subject import Subject
from fpcheck.report.inspection import inspection
from fpcheck.report.schema import schema
from fpcheck.report.style import Style
from fpcheck.report.terminal import write_panels
from fpcheck.weights.criticality import fraction
from fpcheck.weights.law_view import TITLE, looks_like
from fpcheck.weights.measure import measure
from fpcheck.weights.rules import judge
from fpcheck.weights.view import view


def network(law: str, activation: str, widths=(100, 120, 90, 80), seed=1, norm="") -> Network:
    between = f', {{ norm = "{norm}" }}, {{ activation = "{activation}" }}' if norm else ""
    hidden = "".join(
        f"{{ dense = {width}{'' if norm else f', activation = {activation!r}'} }}{between}, "
        for width in widths[1:]
    )
    text = (
        f"[network]\ninput = {widths[0]}\nlayers = [ {hidden}{{ dense = 10 }} ]\n"
        f'[init]\nweights = "{law}"\nbiases = "{law if law == "torch_default" else "zeros"}"\n'
    ).replace("'", '"')
    spec = parse_spec(text)
    return draw_network(spec.skeleton, spec.layer_laws, np.random.default_rng(seed))


def measured(net: Network):
    return measure(net.parameters, net, Settings(), Monitor())


@pytest.mark.parametrize(
    ("law", "activation", "chi1"),
    [
        ("torch_default", "relu", 1 / 6),  # sigma_w^2 / 2 with sigma_w^2 = 1/3
        ("he_normal", "relu", 1.0),
        ("lecun_normal", "relu", 0.5),
        ("lecun_uniform", "tanh", 1.0),  # q* = 0, where tanh has slope 1
    ],
)
def test_chi_1_follows_from_the_initialiser_and_the_activation(law, activation, chi1):
    (found,) = measured(network(law, activation)).criticality
    assert (found.initialiser, found.activation) == (law, activation)
    assert_allclose(found.chi1, chi1, rtol=1e-8)
    assert found.layers == ("dense1", "dense2", "dense3")  # the last one is linear


def test_the_sentence_says_it_in_words():
    (found,) = measured(network("torch_default", "relu")).criticality
    assert found.sentence == (
        "dense1, dense2, dense3 look like PyTorch's default (σ_w² = 1/3), which with relu is "
        "χ₁ = 1/6: gradients shrink with depth"
    )


def test_two_names_of_one_scale_share_their_sentence():
    net = network("lecun_normal", "relu", widths=(80, 80, 80))
    (found,) = measured(net).criticality
    assert found.initialiser == "glorot_normal or lecun_normal"
    assert_allclose(found.chi1, 0.5, rtol=1e-8)


def test_layers_before_a_norm_and_trained_ones_have_no_sentence():
    assert measured(network("he_normal", "relu", norm="layer")).criticality == ()
    net = network("he_normal", "relu")
    scales = np.linspace(0.5, 2.0, 120)[:, None]
    changed = {**net.parameters, "dense1.weight": net.parameters["dense1.weight"] * scales}
    (found,) = measured(replace(net, parameters=changed)).criticality
    assert found.layers == ("dense2", "dense3")


@pytest.mark.parametrize(
    ("value", "text"), [(1 / 3, "1/3"), (1 / 6, "1/6"), (1.0, "1"), (0.817, "0.817"), (0.0, "0")]
)
def test_small_fractions_are_written_as_such(value, text):
    assert fraction(value) == text


def fp005(net: Network, **limits):
    section = plain(measured(net))
    return [found for found in judge(section, limits) if found.code == "FP005"], section


def test_fp005_fires_for_pytorch_s_default_with_relu_and_not_for_he_s():
    (found,), _ = fp005(network("torch_default", "relu"))
    assert (found.outcome, found.severity, found.where) == ("fail", "info", "dense1")
    assert "χ₁ = 1/6" in found.message
    assert_allclose(found.found, 5 / 6, rtol=1e-8)
    assert [f.outcome for f in fp005(network("he_normal", "relu"))[0]] == ["pass"]
    kept, _ = fp005(network("torch_default", "relu"), max_chi1_distance=0.9)
    assert [f.outcome for f in kept] == ["pass"]


def test_fp005_is_skipped_where_nothing_is_recognised_and_in_older_reports():
    found, section = fp005(network("he_normal", "relu", widths=(6, 5, 4)))
    assert [f.outcome for f in found] == ["skipped"]
    for layer in section["layers"]:
        del layer["law"], layer["law_alternatives"]
    del section["criticality"]
    assert [f.outcome for f in judge(section, {}) if f.code == "FP005"] == ["skipped"]
    assert not [item for item in view(section, ()).items if getattr(item, "title", "") == TITLE]


def shown(section, findings=()):
    return next(
        item
        for item in view(section, findings).items
        if isinstance(item, Table) and item.title == TITLE
    )


def test_the_table_names_the_initialiser_with_its_interval():
    section = plain(measured(network("torch_default", "relu")))
    rows = shown(section).rows
    assert [row[:2] for row in rows[:3]] == [
        (f"dense{n}.weight", "torch_default") for n in (1, 2, 3)
    ]
    low, high = (float(text) for text in rows[0][3].split("–"))
    assert low <= 1 / 3 <= high
    assert rows[3][:2] == ("dense4.weight", "torch_default")


def test_a_sentence_stands_beside_the_table_or_in_the_finding_but_not_twice():
    section = plain(measured(network("torch_default", "relu")))
    sentence = section["criticality"][0]["sentence"]
    assert Note(sentence) in view(section, ()).items
    assert Note(sentence) not in view(section, judge(section, {})).items


def test_the_table_fits_80_columns():
    sections = [
        plain(measured(network(law, "relu", widths=widths)))
        for law in ("torch_default", "glorot_normal")
        for widths in ((100, 120, 90), (12, 12, 10))
    ]
    style = Style(width=80, colour=False, ascii_only=False, quiet=False, verbose=False)
    for section in sections:
        text = write_panels([view(section, ())], style)
        assert TITLE in text
        assert max(cell_len(line) for line in text.splitlines()) <= 80


def test_an_answer_that_cannot_be_told_names_what_is_left():
    section = plain(measured(network("glorot_normal", "relu", widths=(80, 80, 80))))
    laws = [layer["law"] for layer in section["layers"] if layer["law"]]
    assert looks_like(laws[0]) == "cannot tell (glorot_normal, lecun_normal)"
    assert section["layers"][0]["law_alternatives"] == ["glorot_normal", "lecun_normal"]


def test_the_section_keeps_the_schema():
    jsonschema = pytest.importorskip("jsonschema")
    rule = {"$ref": "#/$defs/weights", "$defs": schema()["$defs"]}
    for law in ("torch_default", "lecun_normal"):
        section = plain(measured(network(law, "relu")))
        json.dumps(section, allow_nan=False)
        jsonschema.Draft202012Validator(rule).validate(section)
        assert set(section["layers"][0]["law"]) >= set(schema()["$defs"]["matrix_law"]["required"])


def test_inspecting_shows_the_same_initialisers_as_the_analysis():
    net = network("torch_default", "relu")
    subject = Subject("net.npz", "npz", "0" * 64, net.parameters, net, "", "")
    section = inspect(subject)
    analysed = {layer.name: layer.law for layer in measured(net).layers if layer.law}
    assert {entry["tensor"]: entry["law"] for entry in section["initialisers"]} == {
        name: plain(law) for name, law in analysed.items()
    }
    (panel,) = [panel for panel in inspection(section) if panel.title == TITLE]
    assert [item.text for item in panel.items if isinstance(item, Note)] == [
        section["criticality"][0]["sentence"]
    ]
